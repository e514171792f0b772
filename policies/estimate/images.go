package estimate

import (
	"math"
	"strings"

	"farthing/policies/estimate/bpe"
	"farthing/providers"
)

// pictures is what a request's images take at a target.
type pictures struct {
	likely, most int64
}

// imageFrame is more than was ever seen around an image, in the bound only.
const imageFrame = 4

// imageRule is how a family of models counts an image. Rules are the vendors'
// documentation; `most` is the rule's greatest value over all sizes, what an
// image costs at most whose size is not known because it is only named.
type imageRule struct {
	tokens func(w, h int64) int64 // for a known size
	bound  func(w, h int64) int64 // where the rule is a guess; nil: the same
	low    int64                  // for detail "low", 0 where it makes no difference
	most   int64
}

// images counts the request's images by the target's rule.
func (r *Request) images(t *providers.Target) (p pictures) {
	if len(r.b.Images) == 0 {
		return p
	}
	rule := ruleFor(t)
	for _, image := range r.b.Images {
		likely, most := rule.count(image)
		p.likely += likely
		p.most += most + imageFrame
	}
	return p
}

// count returns the likely tokens of an image and the bound. An image of
// unknown size is taken to have the usual size of 1024 × 1024.
func (rule imageRule) count(i providers.ImageRef) (likely, most int64) {
	if i.Detail == "low" && rule.low > 0 {
		return rule.low, rule.low
	}
	if i.Width <= 0 || i.Height <= 0 {
		return rule.tokens(1024, 1024), rule.most
	}
	n := rule.tokens(int64(i.Width), int64(i.Height))
	if rule.bound != nil {
		return n, rule.bound(int64(i.Width), int64(i.Height))
	}
	return n, n
}

// ruleFor picks the rule by the model's own name, whoever serves it.
func ruleFor(t *providers.Target) imageRule {
	name := modelName(t)
	switch {
	case bpe.Known(t.Facts.Encoding):
		return openAIImages(name)
	case anthropic(t):
		// Anthropic, "Vision": width × height / 750 after scaling to 1,568
		// pixels and about 1,600 tokens; newer models read up to 2,576 pixels
		// and 4,784 tokens, which is what is held.
		return imageRule{most: 4784, tokens: func(w, h int64) int64 { return min(ceilDiv(w*h, 750), 4784) }}
	case strings.Contains(name, "gemini") || strings.Contains(name, "gemma"):
		return imageRule{most: 64 * 258, tokens: geminiTokens}
	}
	// Open models with vision: one token for 28 × 28 pixels (Qwen-VL, at most
	// 16,384), in the worst case one for 14 × 14.
	patches := func(side int64) func(w, h int64) int64 {
		return func(w, h int64) int64 { return min(ceilDiv(w, side)*ceilDiv(h, side), 16384) }
	}
	return imageRule{most: 16384, tokens: patches(28), bound: patches(14)}
}

// openAIImages is OpenAI's "Images and vision: calculating costs".
func openAIImages(name string) imageRule {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.HasPrefix(name, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("gpt-4.1-mini", "gpt-5-mini"):
		return patched(162)
	case has("gpt-4.1-nano", "gpt-5-nano"):
		return patched(246)
	case has("o4-mini"):
		return patched(172)
	case has("gpt-4o-mini"):
		return tiled(2833, 5667)
	case has("o1", "o3"):
		return tiled(75, 150)
	case has("computer-use"):
		return tiled(65, 129)
	case has("gpt-5."): // later ones have a patch for 32 × 32 pixels and larger budgets
		rule := patched(100)
		rule.most, rule.low = 10000*246/100, 0
		return rule
	case has("gpt-5"):
		return tiled(70, 140)
	}
	return tiled(85, 170) // gpt-4o, gpt-4.1, gpt-4.5
}

// tiled: the image is scaled into 2048 × 2048, then to a shorter side of 768,
// and cut into tiles of 512. The most tiles are 4 × 2, at 2048 × 768.
func tiled(base, tile int64) imageRule {
	return imageRule{low: base, most: base + 8*tile, tokens: func(w, h int64) int64 {
		long, short := float64(max(w, h)), float64(min(w, h))
		if long > 2048 {
			long, short = 2048, short*2048/long
		}
		if short > 768 {
			long, short = long*768/short, 768
		}
		return base + tile*int64(max(math.Ceil(long/512), 1)*max(math.Ceil(short/512), 1))
	}}
}

// patched: patches of 32 × 32 pixels, at most 1,536 after scaling, times a
// factor in hundredths.
func patched(factor int64) imageRule {
	return imageRule{most: ceilDiv(1536*factor, 100), tokens: func(w, h int64) int64 {
		return ceilDiv(min(ceilDiv(w, 32)*ceilDiv(h, 32), 1536)*factor, 100)
	}}
}

// geminiTokens is Google's "Understand and count tokens": 258 for an image of
// at most 384 × 384, else 258 for each tile of 2/3 of the shorter side, between
// 256 and 768 pixels.
func geminiTokens(w, h int64) int64 {
	if w <= 384 && h <= 384 {
		return 258
	}
	unit := min(max(min(w, h)*2/3, 256), 768)
	return min(ceilDiv(w, unit)*ceilDiv(h, unit), 64) * 258
}

// ceilDiv divides and rounds up. An image's header cannot say more than 32 bits
// a side, so no product of two sides overflows.
func ceilDiv(a, b int64) int64 { return (min(a, math.MaxInt64-b) + b - 1) / b }

// modelName is the model's bare name in lower case: the catalog's where it
// knows the model, else the upstream's.
func modelName(t *providers.Target) string {
	name := t.Model
	if name == "" {
		name = t.ID
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToLower(name)
}

func anthropic(t *providers.Target) bool { return strings.Contains(modelName(t), "claude") }
