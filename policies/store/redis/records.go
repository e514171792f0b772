package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"farthing/policies/store"

	goredis "github.com/redis/go-redis/v9"
)

const (
	receiptTimeKey = "{r}:time" // ids by time in microseconds
	receiptBodyKey = "{r}:body" // id → receipt
	documentsKey   = "{d}:documents"
	auditKey       = "{d}:audit"
)

// trimStep is how many receipts one append deletes at most beside those that it
// adds, so that no append takes long.
const trimStep = 200

// appendReceipts takes the number to keep, the most to delete, and (id, time,
// receipt) of each.
var appendReceipts = goredis.NewScript(`
for i = 3, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
end
local excess = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1]), tonumber(ARGV[2]))
if excess > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[1], excess)
  for i = 1, #oldest, 2 do redis.call('HDEL', KEYS[2], oldest[i]) end
end
return 0`)

// pageReceipts takes the id before which to go on ("" for the newest) and how
// many to read.
var pageReceipts = goredis.NewScript(`
local from = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not rank then return {} end
  from = rank + 1
end
local reply = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1)) do
  reply[#reply + 1] = id
  reply[#reply + 1] = redis.call('HGET', KEYS[2], id)
end
return reply`)

var receiptKeys = []string{receiptTimeKey, receiptBodyKey}

// AppendReceipts keeps some receipts and lets go of the oldest beyond
// store.MaxReceipts. A receipt with a known ID takes the place of the old one.
func (s *Store) AppendReceipts(ctx context.Context, list []store.StoredReceipt) error {
	return s.appendReceipts(ctx, list, store.MaxReceipts)
}

func (s *Store) appendReceipts(ctx context.Context, list []store.StoredReceipt, keep int) error {
	if len(list) == 0 {
		return nil
	}
	args := make([]any, 0, 2+3*len(list))
	args = append(args, keep, trimStep+len(list))
	for _, r := range list {
		args = append(args, r.ID, r.At.UnixMicro(), packReceipt(r))
	}
	return down(appendReceipts.Run(ctx, s.client, receiptKeys, args...).Err())
}

// Receipt reads one receipt. One that is not there, or no longer, is false
// without an error.
func (s *Store) Receipt(ctx context.Context, id string) (store.StoredReceipt, bool, error) {
	packed, err := s.client.HGet(ctx, receiptBodyKey, id).Bytes()
	if errors.Is(err, goredis.Nil) {
		return store.StoredReceipt{}, false, nil
	}
	if err != nil {
		return store.StoredReceipt{}, false, down(err)
	}
	r, err := unpackReceipt(id, packed)
	return r, err == nil, err
}

// Receipts reads a page, newest first: up to limit receipts after the one named
// by before in that order; "" begins with the newest. An id that is no longer
// kept has nothing after it.
func (s *Store) Receipts(ctx context.Context, before string, limit int) ([]store.StoredReceipt, error) {
	if limit <= 0 {
		return nil, nil
	}
	reply, err := pageReceipts.Run(ctx, s.client, receiptKeys, before, limit).Slice()
	if err != nil {
		return nil, down(err)
	}
	var list []store.StoredReceipt
	for r := (&reader{list: reply}); r.more(); {
		id, packed := r.text(), r.text()
		if err := r.failed(); err != nil {
			return nil, err
		}
		receipt, err := unpackReceipt(id, []byte(packed))
		if err != nil {
			return nil, err
		}
		list = append(list, receipt)
	}
	return list, nil
}

var errPacked = errors.New("a receipt in the store cannot be read")

// packReceipt writes key, owner and time before the body.
func packReceipt(r store.StoredReceipt) []byte {
	b := make([]byte, 0, len(r.Key)+len(r.Owner)+len(r.Body)+16)
	for _, s := range []string{r.Key, r.Owner} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, r.At.UnixMicro())
	return append(b, r.Body...)
}

func unpackReceipt(id string, b []byte) (store.StoredReceipt, error) {
	r := store.StoredReceipt{ID: id}
	for _, field := range []*string{&r.Key, &r.Owner} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return r, errPacked
		}
		*field, b = string(b[size:size+int(n)]), b[size+int(n):]
	}
	micros, size := binary.Varint(b)
	if size <= 0 {
		return r, errPacked
	}
	r.At, r.Body = time.UnixMicro(micros).UTC(), b[size:]
	return r, nil
}

// Document reads a small named document, such as the prices set at run time.
// One that was never put is false without an error.
func (s *Store) Document(ctx context.Context, name string) ([]byte, bool, error) {
	body, err := s.client.HGet(ctx, documentsKey, name).Bytes()
	if errors.Is(err, goredis.Nil) {
		return nil, false, nil
	}
	return body, err == nil, down(err)
}

// PutDocument writes a small named document, replacing what was there.
func (s *Store) PutDocument(ctx context.Context, name string, body []byte) error {
	return down(s.client.HSet(ctx, documentsKey, name, body).Err())
}

// AppendAudit adds a line to the audit log, of which the last store.MaxAudit are
// kept.
func (s *Store) AppendAudit(ctx context.Context, line []byte) error {
	_, err := s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
		p.LPush(ctx, auditKey, line)
		p.LTrim(ctx, auditKey, 0, store.MaxAudit-1)
		return nil
	})
	return down(err)
}

// Audit reads up to limit lines of the audit log, newest first.
func (s *Store) Audit(ctx context.Context, limit int) ([][]byte, error) {
	if limit <= 0 {
		return nil, nil
	}
	lines, err := s.client.LRange(ctx, auditKey, 0, int64(limit)-1).Result()
	if err != nil {
		return nil, down(err)
	}
	list := make([][]byte, len(lines))
	for i, line := range lines {
		list[i] = []byte(line)
	}
	return list, nil
}
