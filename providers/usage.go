package providers

// Usage counts tokens in disjoint classes: no token stands in two of them, but
// for Reasoning, which is a part of Output. A format normalises the provider's
// numbers into it (who includes cached tokens in the prompt, who leaves
// reasoning out of the output). All counts are ≥ 0.
type Usage struct {
	Input          int64 `json:"input,omitempty"`          // uncached prompt text
	CacheRead      int64 `json:"cache_read,omitempty"`     // prompt text read from the provider's cache
	CacheWrite5m   int64 `json:"cache_write_5m,omitempty"` // prompt text written to a cache of five minutes (or of no stated life)
	CacheWrite1h   int64 `json:"cache_write_1h,omitempty"` // prompt text written to a cache of one hour
	Output         int64 `json:"output,omitempty"`         // generated text, reasoning included
	Reasoning      int64 `json:"reasoning,omitempty"`      // the part of Output that is reasoning
	AudioIn        int64 `json:"audio_in,omitempty"`       // uncached audio tokens in
	AudioCacheRead int64 `json:"audio_cache_read,omitempty"`
	AudioOut       int64 `json:"audio_out,omitempty"`
	ImageIn        int64 `json:"image_in,omitempty"`
	ImageCacheRead int64 `json:"image_cache_read,omitempty"`
	ImageOut       int64 `json:"image_out,omitempty"`
	VideoIn        int64 `json:"video_in,omitempty"`
	VideoOut       int64 `json:"video_out,omitempty"`

	// Counted fees.
	Requests    int64  `json:"requests,omitempty"`     // billed calls; 0 means one where a price per request exists
	WebSearches int64  `json:"web_searches,omitempty"` // provider-run searches
	SearchSize  string `json:"search_size,omitempty"`  // low | medium | high, where the price of a search depends on it
	Citations   int64  `json:"citations,omitempty"`    // citation tokens (Perplexity)
}

// TotalInput is every token of the prompt, cached and written ones included:
// the number that chooses a context tier.
func (u Usage) TotalInput() int64 {
	return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite1h + u.AudioIn + u.AudioCacheRead +
		u.ImageIn + u.ImageCacheRead + u.VideoIn
}

// TotalOutput is every generated token, reasoning included.
func (u Usage) TotalOutput() int64 { return u.Output + u.AudioOut + u.ImageOut + u.VideoOut }

// IsZero says that nothing was counted.
func (u Usage) IsZero() bool { return u == Usage{} }

// UsageSource says where a receipt's usage comes from.
type UsageSource string

// The sources of usage, as settled (see gateway/flow).
const (
	UsageProvider  UsageSource = "provider"  // the provider reported it
	UsageCounted   UsageSource = "counted"   // complete answer without usage: counted by us
	UsageEstimated UsageSource = "estimated" // cut, cancelled or unanswered: counted so far, or the whole hold
	UsageLost      UsageSource = "lost"      // orphaned by a crash: the whole hold
	UsageNone      UsageSource = "none"      // nothing was sent, or the provider refused: 0
)
