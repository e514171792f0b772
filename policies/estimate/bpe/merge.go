package bpe

import (
	"math"
	"sync"
)

// small is the longest piece that is merged by looking through all pairs at
// every step; above it a heap keeps the time at n log n.
const small = 48

// merge counts the tokens of s[i:j], which is no token itself: the pair of the
// lowest rank is joined, leftmost first, until no pair is a token.
func (v *vocab) merge(s string, i, j int) int {
	if j-i > small {
		return v.mergeHeap(s[i:j])
	}
	var start [small + 1]uint8
	var rank [small]uint32
	p := s[i:j]
	n := len(p)
	for k := range n - 1 {
		start[k] = uint8(k)
		rank[k] = v.pair[int(p[k])<<8|int(p[k+1])]
	}
	start[n-1], rank[n-1], start[n] = uint8(n-1), none, uint8(n)
	for n > 1 {
		best, at := uint32(none), 0
		for k, r := range rank[:n-1] {
			if r < best {
				best, at = r, k
			}
		}
		if best == none {
			break
		}
		copy(start[at+1:n], start[at+2:n+1])
		copy(rank[at+1:n-1], rank[at+2:n])
		n--
		rank[at] = none
		if at+2 <= n {
			rank[at] = v.rank(p, int(start[at]), int(start[at+2]))
		}
		if at > 0 {
			rank[at-1] = v.rank(p, int(start[at-1]), int(start[at+1]))
		}
	}
	return n
}

// scratch is the memory of one long merge: a list of parts linked both ways and
// a heap of the pairs that may be joined.
type scratch struct {
	next, prev []int32
	rank       []uint32 // of the pair that begins here; none for a part that is gone
	heap       []uint64 // rank<<32 | place: the lowest rank first, then the leftmost
}

// keptScratch bounds what an idle scratch keeps, in places.
const keptScratch = 1 << 16

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// mergeHeap counts in 32-bit places: a piece of 2 GB is far beyond what a
// request's body may hold.
func (v *vocab) mergeHeap(p string) int {
	w := scratches.Get().(*scratch)
	n := w.merge(v, p)
	if cap(w.next) <= keptScratch {
		scratches.Put(w)
	}
	return n
}

func (w *scratch) merge(v *vocab, p string) int {
	w.reset(v, p)
	parts := len(p)
	for len(w.heap) > 0 {
		top := w.pop()
		i := int32(top & math.MaxUint32)
		if w.rank[i] != uint32(top>>32) {
			continue // this pair was joined or changed since
		}
		parts--
		gone := w.next[i]
		after := w.next[gone]
		w.next[i], w.rank[gone] = after, none
		if int(after) < len(p) {
			w.prev[after] = i
		}
		w.pair(v, p, i)
		if i > 0 {
			w.pair(v, p, w.prev[i])
		}
	}
	return parts
}

func (w *scratch) reset(v *vocab, p string) {
	n := len(p)
	if cap(w.next) < n {
		w.next, w.prev, w.rank = make([]int32, n), make([]int32, n), make([]uint32, n)
		w.heap = make([]uint64, 0, n)
	}
	w.next, w.prev, w.rank, w.heap = w.next[:n], w.prev[:n], w.rank[:n], w.heap[:0]
	for i := range n {
		w.next[i], w.prev[i], w.rank[i] = int32(i+1), int32(i-1), none
		if i+1 < n {
			if r := v.pair[int(p[i])<<8|int(p[i+1])]; r != none {
				w.rank[i] = r
				w.heap = append(w.heap, uint64(r)<<32|uint64(i))
			}
		}
	}
	for i := len(w.heap)/2 - 1; i >= 0; i-- {
		w.down(i)
	}
}

// pair looks up the pair that begins at part i after its neighbour changed.
func (w *scratch) pair(v *vocab, p string, i int32) {
	w.rank[i] = none
	next := w.next[i]
	if int(next) >= len(p) {
		return
	}
	if r := v.rank(p, int(i), int(w.next[next])); r != none {
		w.rank[i] = r
		w.push(uint64(r)<<32 | uint64(i))
	}
}

func (w *scratch) push(x uint64) {
	w.heap = append(w.heap, x)
	i := len(w.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if w.heap[up] <= x {
			break
		}
		w.heap[i] = w.heap[up]
		i = up
	}
	w.heap[i] = x
}

func (w *scratch) pop() uint64 {
	top, end := w.heap[0], len(w.heap)-1
	w.heap[0] = w.heap[end]
	w.heap = w.heap[:end]
	if end > 0 {
		w.down(0)
	}
	return top
}

func (w *scratch) down(i int) {
	h, x := w.heap, w.heap[i]
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if x <= h[c] {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = x
}
