// The official npm client against a running gateway: FARTHING_URL, FARTHING_KEY.
// The gateway's engine `own` stands at FAKE_PORT, where this program serves what
// the demonstration model cannot do.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.FARTHING_URL + "/v1", apiKey: process.env.FARTHING_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of Japan?" }];

// Whole answers, with their usage and where they came from.
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

// The receipt of the first answer.
const receipt = await client.get(`/receipts/${id}`);
assert.equal(receipt.usage.output, plain.data.usage.completion_tokens);
assert.equal(receipt.outcome, "ok");

const models = await client.models.list();
assert.deepEqual(models.data.map((m) => m.id), ["auto", "dear", "own"]);

// Tools go there and back: the helper calls the function and sends its result on.
const seen = [];
const behind = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const asked = JSON.parse(body);
  seen.push(asked);
  const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "big", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  response.setHeader("content-type", "text/event-stream");
  const last = asked.messages.at(-1);
  if (last.role === "tool") response.write(chunk({ role: "assistant", content: `It is ${last.content}.` }) + chunk({}, "stop"));
  else
    for (const part of ['{"city":', '"Tokyo"}'])
      response.write(chunk({ tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "weather", arguments: part } }] }) + (part.endsWith("}") ? chunk({}, "tool_calls") : ""));
  response.end(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "big", choices: [], usage: { prompt_tokens: 50, completion_tokens: 5, total_tokens: 55 } })}\n\ndata: [DONE]\n\n`);
});
await new Promise((done) => behind.listen(process.env.FAKE_PORT, "127.0.0.1", done));
const weather = { name: "weather", description: "The weather of a city.", parameters: { type: "object", properties: { city: { type: "string" } } }, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` };
const runner = client.chat.completions.runTools({ model: "own", stream: true, messages: [{ role: "user", content: "How is the weather in Tokyo?" }], tools: [{ type: "function", function: weather }] });
assert.equal(await runner.finalContent(), "It is sunny in Tokyo.");
assert.equal(seen.length, 2);
assert.equal(seen[0].model, "big-v2");
assert.equal(seen[0].tools[0].function.name, "weather");
assert.equal(seen[1].messages.at(-1).tool_call_id, "call_1");
behind.close();

// Errors are the client's own.
await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ model: "auto", messages: [] }), OpenAI.BadRequestError);
const wrong = new OpenAI({ baseURL: process.env.FARTHING_URL + "/v1", apiKey: "fk-wrong", maxRetries: 0 });
await assert.rejects(wrong.chat.completions.create({ model: "auto", messages }), OpenAI.AuthenticationError);

// A spent budget is not tried again, though this client repeats a 429 by itself.
let sent = 0;
const patient = new OpenAI({ baseURL: process.env.FARTHING_URL + "/v1", apiKey: process.env.FARTHING_KEY, fetch: (...request) => (sent++, fetch(...request)) });
await assert.rejects(patient.chat.completions.create({ model: "dear", messages }), (e) => e instanceof OpenAI.RateLimitError && e.code === "insufficient_quota" && /tiny/.test(e.message));
assert.equal(sent, 1);

// Who gives up is let go.
const given = await client.chat.completions.create({ model: "auto", messages, stream: true });
for await (const _ of given) break;
assert.equal((await client.chat.completions.create({ model: "auto", messages, temperature: 0 })).choices[0].message.content, "Tokyo is the capital of Japan.");
console.log("npm openai: all good");
