package bpe

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"sync"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// none is the rank of what is no token.
const none = math.MaxUint32

// vocab is one encoding's vocabulary: token bytes to rank. Tokens of at most
// eight bytes, nearly all that text is made of, are found by one probe of a
// table keyed by the bytes themselves; longer ones by a hash.
type vocab struct {
	split   splitter
	classes *classes
	pair    [1 << 16]uint32 // rank of two bytes
	short   []shortToken
	long    []longToken
	blob    []byte // the bytes of the long tokens
	longest int
	seen    *seen
}

type shortToken struct {
	key uint64
	len uint32 // 0: the place is free
	id  uint32
}

type longToken struct {
	hash uint32
	off  uint32
	len  uint32 // 0: the place is free
	id   uint32
}

// vocabs loads each encoding once, when it is first asked for. The zero value
// is ready.
type vocabs struct {
	o200k, cl100k, p50k, r50k vocabOnce
}

type vocabOnce struct {
	once sync.Once
	v    *vocab
}

// encodings is shared by the whole process: vocabularies never change and take
// megabytes each.
var encodings vocabs

var classTable = sync.OnceValue(newClasses)

// get is the vocabulary of an encoding, nil where the name is none of ours.
func (v *vocabs) get(encoding string) *vocab {
	switch encoding {
	case "o200k_base":
		return v.o200k.load(encoding, splitO200k)
	case "cl100k_base":
		return v.cl100k.load(encoding, splitCl100k)
	case "p50k_base":
		return v.p50k.load(encoding, splitGPT2)
	case "r50k_base":
		return v.r50k.load(encoding, splitGPT2)
	}
	return nil
}

func (o *vocabOnce) load(encoding string, split splitter) *vocab {
	o.once.Do(func() {
		file, err := assets.Assets.ReadFile(encoding + ".tiktoken")
		if err == nil {
			o.v, err = newVocab(file)
		}
		if err != nil { // the file is a part of the binary: only a wrong build gets here
			panic(fmt.Sprintf("estimate: the embedded vocabulary %s: %v", encoding, err))
		}
		o.v.split, o.v.classes, o.v.seen = split, classTable(), newSeen()
	})
	return o.v
}

// newVocab reads the file format of tiktoken: a line for each token, its bytes
// in base64 and its rank.
func newVocab(file []byte) (*vocab, error) {
	var tokens [][]byte
	var ids []uint32
	short := 0
	for line := range bytes.Lines(file) {
		text, rank, ok := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if !ok {
			continue
		}
		token, err := base64.StdEncoding.AppendDecode(nil, text)
		if err != nil {
			return nil, err
		}
		id, err := strconv.ParseUint(string(rank), 10, 31)
		if err != nil {
			return nil, err
		}
		tokens, ids = append(tokens, token), append(ids, uint32(id))
		if len(token) <= 8 {
			short++
		}
	}
	v := &vocab{
		short: make([]shortToken, tableSize(short)),
		long:  make([]longToken, tableSize(len(tokens)-short)),
	}
	for i := range v.pair {
		v.pair[i] = none
	}
	for i, token := range tokens {
		v.add(string(token), ids[i])
	}
	return v, nil
}

// tableSize leaves at least half of an open table free, so that a miss is short.
func tableSize(n int) int { return 1 << bits.Len(uint(2*n)) }

func (v *vocab) add(token string, id uint32) {
	v.longest = max(v.longest, len(token))
	if len(token) == 2 {
		v.pair[int(token[0])<<8|int(token[1])] = id
	}
	if len(token) <= 8 {
		key := load(token, 0, len(token))
		i := v.shortPlace(key, len(token))
		for v.short[i].len != 0 {
			i = (i + 1) & (len(v.short) - 1)
		}
		v.short[i] = shortToken{key: key, len: uint32(len(token)), id: id}
		return
	}
	h := hash(token)
	i := int(h) & (len(v.long) - 1)
	for v.long[i].len != 0 {
		i = (i + 1) & (len(v.long) - 1)
	}
	v.long[i] = longToken{hash: h, off: uint32(len(v.blob)), len: uint32(len(token)), id: id}
	v.blob = append(v.blob, token...)
}

// rank is the rank of s[i:j], none where these bytes are no token. j − i ≥ 1.
func (v *vocab) rank(s string, i, j int) uint32 {
	n := j - i
	if n <= 8 {
		key := load(s, i, n)
		for p := v.shortPlace(key, n); ; p = (p + 1) & (len(v.short) - 1) {
			switch t := &v.short[p]; {
			case t.key == key && t.len == uint32(n):
				return t.id
			case t.len == 0:
				return none
			}
		}
	}
	if n > v.longest {
		return none
	}
	h := hash(s[i:j])
	for p := int(h) & (len(v.long) - 1); ; p = (p + 1) & (len(v.long) - 1) {
		switch t := &v.long[p]; {
		case t.hash == h && t.len == uint32(n) && string(v.blob[t.off:t.off+t.len]) == s[i:j]:
			return t.id
		case t.len == 0:
			return none
		}
	}
}

func (v *vocab) shortPlace(key uint64, n int) int {
	hi, lo := bits.Mul64(key^uint64(n)*0xd6e8feb86659fd93, 0x9e3779b97f4a7c15)
	return int(hi^lo) & (len(v.short) - 1)
}

// load reads n ≤ 8 bytes at s[i] as one number, little-endian.
func load(s string, i, n int) uint64 {
	if i+8 <= len(s) {
		return word64(s[i:i+8]) & (math.MaxUint64 >> (64 - 8*uint(n)))
	}
	var k uint64
	for b := n - 1; b >= 0; b-- {
		k = k<<8 | uint64(s[i+b])
	}
	return k
}

// word64 reads eight bytes; the compiler makes it one load.
func word64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// hash mixes more than eight bytes. It need not resist anyone: the table it
// serves is fixed, so the longest probe is too.
func hash(s string) uint32 {
	h := uint64(len(s)) * 0xd6e8feb86659fd93
	for i := 0; i+8 < len(s); i += 8 {
		hi, lo := bits.Mul64(h^word64(s[i:i+8]), 0x9e3779b97f4a7c15)
		h = hi ^ lo
	}
	hi, lo := bits.Mul64(h^word64(s[len(s)-8:]), 0x9e3779b97f4a7c15)
	return uint32(hi ^ lo)
}
