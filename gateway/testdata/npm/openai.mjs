// The official npm client against a running gateway: FARTHING_URL, FARTHING_KEY.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.FARTHING_URL + "/v1", apiKey: process.env.FARTHING_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of Japan?" }];

const plain = await client.chat.completions.create({ model: "auto", messages, temperature: 0 }).withResponse();
assert.equal(plain.data.choices[0].message.content, "Tokyo is the capital of Japan.");
assert.equal(plain.data.choices[0].finish_reason, "stop");
assert.ok(plain.data.usage.prompt_tokens > 0 && plain.data.usage.completion_tokens > 0);
assert.match(plain.response.headers.get("x-farthing-target"), /demo/);
const id = plain.response.headers.get("x-farthing-id");

// The stream helper assembles chunks strictly.
const stream = client.chat.completions.stream({ model: "auto", messages, temperature: 0, stream_options: { include_usage: true } });
let text = "";
for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
const final = await stream.finalChatCompletion();
assert.equal(text, "Tokyo is the capital of Japan.");
assert.equal(final.choices[0].message.content, text);
assert.equal(final.usage.completion_tokens, plain.data.usage.completion_tokens);

// Without the switch no chunk carries usage.
for await (const chunk of await client.chat.completions.create({ model: "auto", messages, stream: true }))
  assert.ok(!chunk.usage, "a usage chunk that nobody asked for");

const receipt = await client.get(`/receipts/${id}`);
assert.equal(receipt.usage.output, plain.data.usage.completion_tokens);
assert.equal(receipt.outcome, "ok");

const models = await client.models.list();
assert.ok(models.data.some((m) => m.id === "auto"));

await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ model: "auto", messages: [] }), OpenAI.BadRequestError);
const wrong = new OpenAI({ baseURL: process.env.FARTHING_URL + "/v1", apiKey: "fk-wrong", maxRetries: 0 });
await assert.rejects(wrong.chat.completions.create({ model: "auto", messages }), OpenAI.AuthenticationError);
console.log("npm openai: all good");
