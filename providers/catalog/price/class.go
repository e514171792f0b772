package price

import "farthing/providers"

// Class is a class of tokens that has a price of its own.
type Class uint8

// The classes. The comment names the parent whose price holds where the class
// has none.
const (
	Input          Class = iota
	CacheRead            // Input
	CacheWrite           // Input; a cache of five minutes, or of no stated life
	CacheWrite1h         // CacheWrite
	Output               //
	Reasoning            // Output
	AudioIn              // Input
	AudioCacheRead       // CacheRead
	AudioOut             // Output
	ImageIn              // Input
	ImageCacheRead       // CacheRead
	ImageOut             // Output
	VideoIn              // Input
	VideoOut             // Output
	Citation             // none: unpriced citations are free
	classes
)

var classNames = [classes]string{
	"input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning",
	"audio_in", "audio_cache_read", "audio_out", "image_in", "image_cache_read", "image_out", "video_in", "video_out", "citation",
}

// parents is ordered so that a parent is resolved before its children.
var parents = [classes]Class{
	CacheRead: Input, CacheWrite: Input, CacheWrite1h: CacheWrite, Reasoning: Output,
	AudioIn: Input, AudioCacheRead: CacheRead, AudioOut: Output, ImageIn: Input, ImageCacheRead: CacheRead, ImageOut: Output,
	VideoIn: Input, VideoOut: Output, Input: Input, Output: Output, Citation: Citation,
}

// String is the class's name in files and bills.
func (c Class) String() string { return classNames[c] }

// isOutput says that the class is generated, not read.
func (c Class) isOutput() bool {
	return c == Output || c == Reasoning || c == AudioOut || c == ImageOut || c == VideoOut
}

// isMedia says that the class is not text.
func (c Class) isMedia() bool { return c >= AudioIn && c <= VideoOut }

// counts are tokens by class, disjoint.
type counts [classes]int64

// split takes reasoning out of the output and leaves every other class as it
// stands. Reasoning beyond the output is clamped to it.
func split(u *providers.Usage) counts {
	reasoning := min(u.Reasoning, u.Output)
	return counts{
		Input: u.Input, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite5m, CacheWrite1h: u.CacheWrite1h,
		Output: u.Output - reasoning, Reasoning: reasoning,
		AudioIn: u.AudioIn, AudioCacheRead: u.AudioCacheRead, AudioOut: u.AudioOut,
		ImageIn: u.ImageIn, ImageCacheRead: u.ImageCacheRead, ImageOut: u.ImageOut,
		VideoIn: u.VideoIn, VideoOut: u.VideoOut, Citation: u.Citations,
	}
}

// listed is what a row or tier states for each class; nil where it is silent.
type listed [classes]*providers.Price

func (r *Rates) listed() listed {
	return listed{
		Input: r.Input, CacheRead: r.CacheRead, CacheWrite: r.CacheWrite, CacheWrite1h: r.CacheWrite1h,
		Output: r.Output, Reasoning: r.Reasoning,
		AudioIn: r.AudioIn, AudioCacheRead: r.AudioCacheRead, AudioOut: r.AudioOut,
		ImageIn: r.ImageIn, ImageCacheRead: r.ImageCacheRead, ImageOut: r.ImageOut,
		VideoIn: r.VideoIn, VideoOut: r.VideoOut, Citation: r.Citation,
	}
}

// IsZero says that no price is listed.
func (r Rates) IsZero() bool { return r == Rates{} }

// Each calls f for every listed price.
func (r Rates) Each(f func(Class, providers.Price)) {
	for c, p := range r.listed() {
		if p != nil {
			f(Class(c), *p)
		}
	}
}
