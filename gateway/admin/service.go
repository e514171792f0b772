package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"time"

	"farthing/gateway/record"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/policies/store"
	"farthing/providers"
	"farthing/providers/catalog"
)

// Service is the operator's side of a gateway. What a part is nil for cannot be
// asked here.
type Service struct {
	Keys     key.Store
	Ring     *key.Ring // told of changes at once; nil without a running gateway
	Defaults func() key.Defaults
	Pinned   func() []key.Key // of the file
	Tree     func() *budget.Tree
	Ledger   *ledger.Ledger
	Book     func() *catalog.Book
	Receipts *record.Recorder
	Targets  func() []TargetStatus
	Audit    func(ctx context.Context, line []byte) error
	Now      func() time.Time
	Log      *slog.Logger // hears the causes that nobody is told; nil: nobody

	making sync.Mutex // a name is looked for and taken by one at a time
}

// NewKey is what a key is made from. Expires is a date or a number of days
// ("90d"); "" takes the file's default, "never" none.
type NewKey struct {
	Name            string            `json:"name,omitempty"`
	Owner           string            `json:"owner"`
	Team            string            `json:"team,omitempty"`
	Tags            map[string]string `json:"tags,omitempty"`
	MayUse          []string          `json:"may_use,omitempty"`
	Expires         string            `json:"expires,omitempty"`
	TrustUserHeader bool              `json:"trust_user_header,omitempty"`
}

// MadeKey is a new key and its secret, which is shown this once.
type MadeKey struct {
	Secret string  `json:"key"`
	Key    KeyView `json:"about"`
}

// KeyView is a key as it is listed: never its secret.
type KeyView struct {
	key.Key
	State string `json:"state"` // active, expired, revoked
}

// CreateKey makes a key and keeps its hash.
func (s *Service) CreateKey(ctx context.Context, n NewKey) (MadeKey, error) {
	if n.Owner == "" {
		return MadeKey{}, &providers.Error{Kind: providers.Invalid, Param: "owner", Message: "a key belongs to an owner: give --owner"}
	}
	if wrong := key.CheckNames("may_use", n.MayUse); len(wrong) > 0 {
		return MadeKey{}, &providers.Error{Kind: providers.Invalid, Param: wrong[0].Path, Message: wrong[0].Message}
	}
	now := s.Now().UTC().Truncate(time.Second)
	expires, err := s.expiry(n.Expires, now)
	if err != nil {
		return MadeKey{}, err
	}
	secret, hash := key.New()
	if n.Name == "" {
		n.Name = n.Owner + "-" + hash.String()[:8]
	}
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.nameIsFree(ctx, n.Name); err != nil {
		return MadeKey{}, err
	}
	k := key.Key{
		Hash: hash, Name: n.Name, Owner: n.Owner, Team: n.Team, Tags: n.Tags, MayUse: n.MayUse, Source: key.FromStore,
		Created: now, Expires: expires, TrustUserHeader: n.TrustUserHeader,
	}
	if err := s.put(ctx, "keys create", k); err != nil {
		return MadeKey{}, err
	}
	return MadeKey{Secret: secret, Key: s.view(k)}, nil
}

func (s *Service) expiry(text string, now time.Time) (time.Time, error) {
	switch text {
	case "never":
		return time.Time{}, nil
	case "":
		d := time.Duration(s.Defaults().Expires)
		if d == 0 {
			return time.Time{}, nil
		}
		return now.Add(d), nil
	}
	var d providers.Duration
	if err := d.UnmarshalText([]byte(text)); err == nil && d > 0 {
		return now.Add(time.Duration(d)), nil
	}
	date, err := time.ParseInLocation(time.DateOnly, text, s.Tree().Zone())
	if err != nil || !date.After(now) {
		return time.Time{}, &providers.Error{
			Kind: providers.Invalid, Param: "expires",
			Message: fmt.Sprintf("expires is %q: give a date to come such as %s, a time such as 90d, or never", text, now.AddDate(0, 3, 0).Format(time.DateOnly)),
		}
	}
	return date, nil
}

func (s *Service) nameIsFree(ctx context.Context, name string) error {
	keys, err := s.ListKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Name == name && k.State != "revoked" || name == key.LocalName {
			return &providers.Error{Kind: providers.Invalid, Param: "name", Message: "there is a key named " + name + " already"}
		}
	}
	return nil
}

// ListKeys lists the keys of the file and of the store by name.
func (s *Service) ListKeys(ctx context.Context) ([]KeyView, error) {
	stored, err := s.Keys.ListKeys(ctx)
	if err != nil {
		return nil, storeError(err)
	}
	views := make([]KeyView, 0, len(stored))
	for _, k := range append(stored, s.Pinned()...) {
		views = append(views, s.view(k))
	}
	sort.Slice(views, func(i, j int) bool { return views[i].Name < views[j].Name })
	return views, nil
}

func (s *Service) view(k key.Key) KeyView {
	switch now := s.Now(); {
	case !k.Revoked.IsZero():
		return KeyView{k, "revoked"}
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return KeyView{k, "expired"}
	}
	return KeyView{k, "active"}
}

// RevokeKey ends a key, named by its name or by the first digits of its hash.
// A key of the file is revoked by editing the file.
func (s *Service) RevokeKey(ctx context.Context, name string) (KeyView, error) {
	keys, err := s.ListKeys(ctx)
	if err != nil {
		return KeyView{}, err
	}
	var found []key.Key
	for _, v := range keys {
		if v.State != "revoked" && (v.Name == name || len(name) >= 8 && strings.HasPrefix(v.Hash.String(), name)) {
			found = append(found, v.Key)
		}
	}
	switch {
	case len(found) == 0:
		return KeyView{}, &providers.Error{Kind: providers.NotFound, Message: "there is no key named " + name + " to revoke"}
	case len(found) > 1:
		return KeyView{}, &providers.Error{Kind: providers.Invalid, Message: name + " means more than one key: use the first digits of its hash"}
	case found[0].Source == key.FromFile:
		return KeyView{}, &providers.Error{Kind: providers.Invalid, Message: name + " is pinned by the file: take it out there"}
	}
	k := found[0]
	k.Revoked = s.Now().UTC().Truncate(time.Second)
	if err := s.put(ctx, "keys revoke", k); err != nil {
		return KeyView{}, err
	}
	return s.view(k), nil
}

// put writes a key, and before it a line of the audit log: nothing changes
// without one.
func (s *Service) put(ctx context.Context, action string, k key.Key) error {
	line, err := json.Marshal(Audited{Time: s.Now().UTC().Truncate(time.Second), Action: action, What: k.Name})
	if err != nil {
		return err
	}
	if err := s.Audit(ctx, line); err != nil {
		return storeError(err)
	}
	if err := s.Keys.PutKey(ctx, k); err != nil {
		return storeError(err)
	}
	if s.Ring != nil { // the running gateway knows at once; other replicas learn of it from the store
		_ = s.Ring.Refresh(ctx) // a failure is the ring's to report: it tries again by itself
	}
	return nil
}

// Audited is one line of the audit log: an operation that was begun.
type Audited struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"` // the command: keys create
	What   string    `json:"what"`   // the name of what it was done to
}

// storeError tells a store that is away from one that holds what cannot be read.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrDown), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &providers.Error{Kind: providers.Unavailable, Message: "the store cannot be reached", Cause: err}
	}
	return &providers.Error{Kind: providers.Internal, Message: "what the store holds cannot be read", Cause: err}
}
