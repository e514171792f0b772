package flow

import (
	"context"
	"crypto/subtle"
	"encoding/json"

	"farthing/gateway/record"
	"farthing/providers"
)

// Models answers GET /v1/models: the names that the key may send.
func (f *Flow) Models(ctx context.Context, in *Inbound) (*Reply, error) {
	c, err := f.reader(ctx, in)
	if err != nil {
		return nil, err
	}
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list", Data: []model{}}
	for _, name := range c.state.Names.Names() {
		if f.keys.MayUse(c.key, name) {
			list.Data = append(list.Data, model{ID: name, Object: "model", OwnedBy: "farthing"})
		}
	}
	return c.show(list)
}

// Receipt answers GET /v1/receipts/{id} to the key that asked, to its owner's
// other keys and to admins. Nobody else learns that there is one.
func (f *Flow) Receipt(ctx context.Context, in *Inbound) (*Reply, error) {
	admin := f.adminKey != "" && subtle.ConstantTimeCompare([]byte(in.Header.Key), []byte(f.adminKey)) == 1
	c, err := f.reader(ctx, in)
	if err != nil && !admin {
		return nil, err
	}
	found, ok, err := f.recorder.Find(ctx, in.ID)
	switch {
	case err != nil:
		return nil, &providers.Error{Kind: providers.Unavailable, Code: "store_unavailable", Message: "the store of receipts cannot be asked", Cause: err}
	case !ok || !admin && found.Key != c.key.Name && found.Owner != c.key.Owner:
		return nil, &providers.Error{Kind: providers.NotFound, Code: "receipt_not_found", Message: "there is no receipt with this id"}
	}
	return c.show(found)
}

// reader is a call that only reads: it has no receipt of its own.
func (f *Flow) reader(ctx context.Context, in *Inbound) (*call, error) {
	c := &call{flow: f, state: f.state.Load(), in: in, receipt: &record.Receipt{ID: NewID(in.Received)}}
	return c, c.identify(ctx)
}

func (c *call) show(v any) (*Reply, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &Reply{Status: 200, ContentType: "application/json", Header: c.headers(), Body: body}, nil
}
