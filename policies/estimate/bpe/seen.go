package bpe

import (
	"hash/maphash"
	"sync/atomic"
)

// Texts at least this long are remembered: below, counting is as fast as
// looking up.
const seenFrom = 65

const (
	seenWays = 4
	seenSets = 1 << 14 // 65,536 texts, 1.5 MB for each encoding in use
)

// seen remembers the counts of texts that were counted before (system prompts,
// the earlier turns of a conversation, tools), without keeping the texts. It
// holds a fixed number of entries and takes no lock.
//
// The count decides money, so the key is 128 bits: two hashes under two secret
// seeds, and the length with them. Two of 65,536 texts agree by accident with a
// probability of about 2^-97, and nobody who does not know the seeds of this
// process can look for such a pair.
type seen struct {
	first, second maphash.Seed
	turn          atomic.Uint32
	sets          [seenSets][seenWays]seenEntry
}

// seenEntry holds both hashes XORed with the count. A reader that catches a
// writer half-way computes hashes that are not its own and misses.
type seenEntry struct {
	first, second, count atomic.Uint64
}

// seenKey is the identity of a text.
type seenKey struct{ first, second uint64 }

func newSeen() *seen { return &seen{first: maphash.MakeSeed(), second: maphash.MakeSeed()} }

// key makes the identity of a text counted in the way of salt: the same text
// may count differently as prose and as a tool's definition.
func (m *seen) key(s string, salt uint64) seenKey {
	return seenKey{
		first:  maphash.String(m.first, s) ^ uint64(len(s))<<2 ^ salt,
		second: maphash.String(m.second, s) ^ salt,
	}
}

// get returns the count plus one, 0 where the text is not known.
func (m *seen) get(k seenKey) uint64 {
	set := &m.sets[k.first%seenSets]
	for i := range set {
		e := &set[i]
		count := e.count.Load()
		if count != 0 && e.first.Load()^count == k.first && e.second.Load()^count == k.second {
			return count
		}
	}
	return 0
}

// put remembers a count plus one in a free place of the set, else in the place
// of one entry taken in turn.
func (m *seen) put(k seenKey, count uint64) {
	set := &m.sets[k.first%seenSets]
	e := &set[m.turn.Add(1)%seenWays]
	for i := range set {
		if set[i].count.Load() == 0 {
			e = &set[i]
			break
		}
	}
	e.first.Store(k.first ^ count)
	e.second.Store(k.second ^ count)
	e.count.Store(count)
}
