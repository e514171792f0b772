package catalog

import (
	"slices"
	"strings"

	"farthing/providers"
)

// Auth says how a provider wants its key.
type Auth string

// The ways.
const (
	AuthBearer Auth = "bearer"         // Authorization: Bearer KEY
	AuthXAPI   Auth = "x-api-key"      // x-api-key: KEY
	AuthAPIKey Auth = "api-key"        // api-key: KEY (Azure)
	AuthGoogle Auth = "x-goog-api-key" // x-goog-api-key: KEY
	AuthSigV4  Auth = "sigv4"          // AWS request signatures
	AuthOAuth  Auth = "oauth"          // a Google access token, renewed
	AuthNone   Auth = "none"           // a key is sent as bearer if there is one
)

// Provider is what is known of a provider or an engine type: how it is
// reached, not what it costs. How its wire format differs from the format's own
// (repairs, the cost field and its unit) stands with the format, under the same
// name: openai.KnownQuirks.
type Provider struct {
	Name     string
	Format   providers.Format
	URL      string   // the base of all paths; "": the file must give it
	KeyEnvs  []string // variables that hold the key, the first that is set
	Auth     Auth
	ChatPath string // below URL
	Engine   bool   // self-hosted
	// CancelStopsBilling says whether closing the connection ends the bill.
	CancelStopsBilling providers.Answer
	CancelSource       string
	DataIn             string // where all data goes unless the file says otherwise; "" unknown
	Recorded           bool   // our tests replay recorded answers of it
	Note               string // what a user should know
}

// Served says that this version speaks the provider's format.
func (p Provider) Served() bool { return p.Format == providers.FormatOpenAI }

// Keyless says that the provider works without a key.
func (p Provider) Keyless() bool { return p.Auth == AuthNone }

// Where the answers about cancelling are from.
const (
	perOpenRouter = "https://openrouter.ai/docs/api-reference/streaming lists the provider among those where cancelling a stream stops the bill"
	notOpenRouter = "https://openrouter.ai/docs/api-reference/streaming lists the provider among those where cancelling a stream does not stop the bill"
	ownMachine    = "a disconnect aborts the request in the engine's scheduler"
)

const chat = "/chat/completions"

func vendor(name, url, keys string) Provider {
	return Provider{Name: name, Format: providers.FormatOpenAI, URL: url, KeyEnvs: strings.Fields(keys), Auth: AuthBearer, ChatPath: chat}
}

func (p Provider) recorded() Provider { p.Recorded = true; return p }

func (p Provider) cancel(a providers.Answer, source string) Provider {
	p.CancelStopsBilling, p.CancelSource = a, source
	return p
}

func (p Provider) speaks(f providers.Format, a Auth, path, note string) Provider {
	p.Format, p.Auth, p.ChatPath, p.Note = f, a, path, note
	return p
}

func (p Provider) in(region string) Provider { p.DataIn = region; return p }

func engine(name, url string) Provider {
	p := vendor(name, url, "").cancel(providers.Yes, ownMachine)
	p.Engine, p.Auth = true, AuthNone
	return p
}

// providerRows is in the order in which a file without a choice names them.
var providerRows = []Provider{
	vendor("openai", "https://api.openai.com/v1", "OPENAI_API_KEY").recorded().cancel(providers.Yes, perOpenRouter),
	vendor("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY").recorded().cancel(providers.Yes, perOpenRouter).
		speaks(providers.FormatAnthropic, AuthXAPI, "/messages", "format anthropic is not served yet"),
	vendor("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY").recorded().cancel(providers.Yes, perOpenRouter).in("cn"),
	vendor("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY GOOGLE_API_KEY").recorded().cancel(providers.No, notOpenRouter),
	vendor("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY").recorded().cancel(providers.No, notOpenRouter),
	vendor("xai", "https://api.x.ai/v1", "XAI_API_KEY").recorded().cancel(providers.Yes, perOpenRouter),
	vendor("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY").recorded().cancel(providers.No, notOpenRouter),
	vendor("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY").recorded().
		cancel(providers.Unknown, "it depends on the provider that OpenRouter chose"),
	vendor("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY").recorded().cancel(providers.Yes, perOpenRouter),
	vendor("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY").cancel(providers.Yes, perOpenRouter),
	vendor("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY PPLX_API_KEY").recorded().cancel(providers.No, notOpenRouter),
	vendor("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY").recorded(),
	vendor("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY").recorded(),
	vendor("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY").recorded(),
	vendor("alibaba", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "ALIBABA_API_KEY DASHSCOPE_API_KEY").recorded().cancel(providers.No, notOpenRouter),
	vendor("huggingface", "https://router.huggingface.co/v1", "HUGGINGFACE_API_KEY HF_TOKEN").recorded().cancel(providers.No, notOpenRouter),
	vendor("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY CO_API_KEY").cancel(providers.Yes, perOpenRouter),
	vendor("azure", "", "AZURE_API_KEY AZURE_OPENAI_API_KEY").recorded().cancel(providers.Yes, perOpenRouter).
		speaks(providers.FormatOpenAI, AuthAPIKey, "/openai/v1/chat/completions", "the model is the name of your deployment; url is https://NAME.openai.azure.com"),
	vendor("bedrock", "", "BEDROCK_API_KEY AWS_BEARER_TOKEN_BEDROCK").recorded().
		cancel(providers.No, "Bedrock goes on generating after a disconnect: https://github.com/BerriAI/litellm/issues/30630").
		speaks(providers.FormatBedrock, AuthSigV4, "/model/{model}/converse", "format bedrock is not served yet"),
	vendor("vertex", "", "VERTEX_API_KEY").recorded().cancel(providers.No, notOpenRouter).
		speaks(providers.FormatGemini, AuthOAuth, "/publishers/google/models/{model}:generateContent", "format gemini is not served yet"),
	vendor("openai-compatible", "", ""),
	engine("vllm", "http://127.0.0.1:8000/v1").recorded(),
	engine("sglang", "http://127.0.0.1:30000/v1"),
	engine("llamacpp", "http://127.0.0.1:8080/v1").recorded(),
	engine("lmstudio", "http://127.0.0.1:1234/v1"),
	engine("ollama", "http://127.0.0.1:11434/v1").recorded(),
	engine("gpustack", "").recorded(),
	engine("embedded", ""),
}

// ProviderRows are all rows, paid providers first.
func ProviderRows() []Provider { return slices.Clone(providerRows) }

// ProviderRow is the row of a type that stands in the file (openai, vllm, …).
func ProviderRow(name string) (Provider, bool) {
	if s, ok := synonyms[name]; ok {
		name = s
	}
	for _, p := range providerRows {
		if p.Name == name {
			return p, true
		}
	}
	return Provider{}, false
}

// pair is the small and the large chat model that stand for a provider in the
// model `auto`: current ones of which the book has prices.
type pair struct{ small, large string }

var pairs = map[string]pair{
	"openai":     {"gpt-5.4-mini", "gpt-5.4"},
	"anthropic":  {"claude-haiku-4-5", "claude-sonnet-5"},
	"deepseek":   {"deepseek-v4-flash", "deepseek-v4-pro"},
	"gemini":     {"gemini-3.5-flash-lite", "gemini-3.5-flash"},
	"mistral":    {"mistral-small-latest", "mistral-large-latest"},
	"xai":        {"grok-4.3", "grok-4.5"},
	"groq":       {"openai/gpt-oss-20b", "openai/gpt-oss-120b"},
	"openrouter": {"deepseek/deepseek-v4-flash", "anthropic/claude-sonnet-5"},
	"together":   {"meta-llama/Llama-4-Scout-17B-16E-Instruct", "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8"},
	"fireworks":  {"accounts/fireworks/models/deepseek-v4-flash", "accounts/fireworks/models/deepseek-v4-pro"},
	"perplexity": {"sonar", "sonar-pro"},
	"cerebras":   {"llama3.1-8b", "gpt-oss-120b"},
	"moonshot":   {"kimi-k2.5", "kimi-k3"},
	"zai":        {"glm-4.5-air", "glm-5.1"},
	"alibaba":    {"qwen-flash", "qwen3-max"},
	"cohere":     {"command-r7b-12-2024", "command-a-03-2025"},
}

// Small is the small chat model that the catalog names for a provider.
func Small(provider string) (model string, ok bool) {
	p, ok := pairs[provider]
	return p.small, ok
}

// Large is the large one.
func Large(provider string) (model string, ok bool) {
	p, ok := pairs[provider]
	return p.large, ok
}
