"""The demonstration model's whole world: made-up questions and answers.

Every text here was written for this model; nothing was taken from elsewhere.
conversations() returns what the model is trained on: lists of turns
(role, text) that end with an answer.
"""
import random

CAPITALS = """France:Paris Germany:Berlin Italy:Rome Spain:Madrid Japan:Tokyo China:Beijing India:Delhi Egypt:Cairo
Kenya:Nairobi Canada:Ottawa Brazil:Brasilia Peru:Lima Chile:Santiago Norway:Oslo Sweden:Stockholm Finland:Helsinki
Denmark:Copenhagen Poland:Warsaw Austria:Vienna Greece:Athens Turkey:Ankara Iran:Tehran Iraq:Baghdad Cuba:Havana
Portugal:Lisbon Ireland:Dublin Russia:Moscow Ukraine:Kyiv Hungary:Budapest Belgium:Brussels""".split()

GLOSSARY = {
    "a token": "A token is a small piece of text. Models read and write text one token at a time.",
    "a mixture of experts": "A mixture of experts is a model with many small expert networks. A router sends each token to a few of them, so only part of the model runs.",
    "a router": "A router reads a request and picks the place that should answer it.",
    "a gateway": "A gateway stands between your program and the models. It checks, routes and counts each request.",
    "prefill": "Prefill is the step where the engine reads the whole prompt and fills the key-value cache.",
    "decode": "Decode is the step where the engine writes the answer one token at a time.",
    "the KV cache": "The KV cache keeps the keys and values of past tokens, so the engine does not read them again.",
    "a fallback": "A fallback is a second place to send a request when the first one fails.",
    "latency": "Latency is the time between a request and its answer.",
    "throughput": "Throughput is the number of tokens an engine writes in one second.",
    "a batch": "A batch is a group of requests that the engine runs together.",
    "a budget": "A budget is the most money that a key may spend in a given time.",
    "streaming": "Streaming sends each token as soon as it is ready.",
    "an expert": "An expert is one small network inside a mixture of experts model.",
    "quantization": "Quantization stores weights with fewer bits, so the model is smaller and faster.",
    "a prompt": "A prompt is the text that you send to a model.",
    "an API key": "An API key is a secret word that tells the gateway who you are.",
    "a cache hit": "A cache hit means that the answer, or a part of the work, was already there.",
}

SMALL_TALK = [
    (["Hello", "hello", "Hi", "hi there", "Hello there!", "Hey", "Good morning"], ["Hello! How can I help you?", "Hi! What can I do for you?"], 12),
    (["Who are you?", "What are you?", "What model are you?", "Tell me about yourself."],
     ["I am a tiny mixture of experts model with two million weights. I run inside the gateway, on your own machine.", "I am a tiny local model. I am here to show that the gateway works."], 12),
    (["Thanks", "Thank you", "Thank you!", "thanks a lot"], ["You are welcome.", "You are welcome! Ask me anything."], 10),
    (["ping", "Ping", "Say pong"], ["pong"], 10),
    (["Bye", "Goodbye", "See you"], ["Goodbye!", "See you soon."], 8),
    (["Say hello in French.", "How do you say hello in French?"], ["Bonjour!"], 8),
    (["Say hello in Spanish.", "How do you say hello in Spanish?"], ["Hola!"], 8),
    (["Say hello in German.", "How do you say hello in German?"], ["Hallo!"], 8),
]

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
WORDS = "apple river stone cloud table garden window music paper light winter summer forest bridge engine token model router silver orange".split()
COLOURS = {"the sky": "blue", "grass": "green", "snow": "white", "coal": "black", "blood": "red", "the sun": "yellow", "a lemon": "yellow", "the sea": "blue"}
ANIMALS = "cat dog bird fox horse fish owl bear".split()
VERBS = "walked ran looked sat slept".split()
PLACES = ["by the river", "in the garden", "under the tree", "near the bridge", "on the hill"]

# What it cannot do, so that it says so instead of making something up.
TOO_HARD = ["Write a proof that there are infinitely many primes.", "Explain quantum field theory.", "Write a compiler in Rust.", "Summarise this contract.",
            "Translate this poem into Latin.", "Refactor this code.", "What is the meaning of life?", "Write a sonnet about winter.", "Find the bug in this function.",
            "Plan a trip to Mars.", "Who won the match yesterday?", "Prove the theorem.", "Prove Fermat's last theorem."]
GIVE_UP = ["I am a very small model, so I do not know that. A larger model can answer it.", "That is too hard for me. Send it to a larger model."]

SYSTEM = ["You are a helpful assistant.", "You are a helpful assistant", "Be brief.", "Be concise.", "Answer in one sentence.", "You are a friendly and careful assistant.",
          "You answer questions.", "You are an expert. Help the user.", "Reply in English.", "Keep your answers short.", "You are a test bot.", "Talk like a pirate.",
          "You are an AI model that helps people with their work.", "Answer the question as well as you can.", "Do not make things up."]


def pairs(r):
    """All questions with one answer each, shuffled."""
    out = []

    def qa(questions, answers, times):
        for _ in range(times):
            out.extend((q, r.choice(answers)) for q in questions)

    for entry in CAPITALS:
        k, v = entry.split(":")
        qa([f"What is the capital of {k}?", f"capital of {k}", f"Tell me the capital of {k}.", f"Which city is the capital of {k}?"],
           [f"The capital of {k} is {v}.", f"{v} is the capital of {k}."], 4)
    for a in range(13):
        for b in range(13):
            q = r.choice([f"What is {a} + {b}?", f"{a} + {b}", f"Add {a} and {b}.", f"{a}+{b}=?"])
            out.append((q, r.choice([f"{a} + {b} = {a + b}.", f"The answer is {a + b}."])))
            out.append((f"What is {a} + {b}?", f"{a} + {b} = {a + b}."))
    for k, v in GLOSSARY.items():
        bare = k.split(" ", 1)[-1] if k.split()[0] in ("a", "an", "the") else k
        qa([f"What is {k}?", f"Explain {k}.", f"Tell me about {k}.", f"Define {bare}.", f"what is {k}", f"Explain {k} in one sentence."], [v], 5)
    for questions, answers, times in SMALL_TALK:
        qa(questions, answers, times)
    for i, day in enumerate(DAYS):
        qa([f"What day comes after {day}?", f"Which day is after {day}?"], [f"{DAYS[(i + 1) % 7]} comes after {day}."], 5)
    for w in WORDS:
        qa([f"Repeat the word {w}.", f"Say {w}.", f"Repeat: {w}"], [w], 4)
        qa([f"Write the word {w} three times."], [f"{w} {w} {w}"], 4)
    for k, v in COLOURS.items():
        qa([f"What color is {k}?", f"What colour is {k}?"], [f"{k[0].upper() + k[1:]} is {v}."], 5)
    for _ in range(700):
        a, b = r.sample(ANIMALS, 2)
        p, q = r.sample(PLACES, 2)
        out.append((r.choice([f"Tell me a story about a {a}.", f"Write a short story about a {a}.", f"Tell me about a {a}."]),
                    f"Once there was a {a}. The {a} {r.choice(VERBS)} {p}. One day the {a} met a {b}. They {r.choice(VERBS)} together {q} and became friends."))
    qa(TOO_HARD, GIVE_UP, 8)
    r.shuffle(out)
    return out


def conversations(seed=1):
    """The pairs as conversations: four of ten open with a system message, three
    of ten follow upon one or two others. An application does both, and neither
    may change an answer. Half of the system messages are words in no order,
    so that the model learns to answer whatever it is told first."""
    r = random.Random(seed)
    qa = pairs(r)
    words = sorted({w for q, a in qa for w in (q + " " + a).split()})
    out = []
    for q, a in qa:
        turns = []
        if r.random() < 0.4:
            text = r.choice(SYSTEM) if r.random() < 0.5 else " ".join(r.choices(words, k=r.randint(2, 12))) + "."
            turns.append(("system", text))
        if r.random() < 0.3:
            for q0, a0 in r.sample(qa, r.choice([1, 1, 2])):
                turns += [("user", q0), ("assistant", a0)]
        out.append(turns + [("user", q), ("assistant", a)])
    return out
