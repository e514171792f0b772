package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"farthing/gateway/admin"
	"farthing/gateway/app/plan"
	"farthing/gateway/config"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/providers/catalog"
)

// Place is where a running gateway's admin API is.
type Place struct {
	URL      string
	AdminKey string // "" where there is none yet
}

// Locate finds the admin API that a file (or its absence) speaks of.
func Locate(path string) (Place, error) {
	file, err := read(path)
	if err != nil {
		return Place{}, err
	}
	listen := file.Server.Admin.Listen
	if listen == "" {
		listen = file.Server.Listen
	}
	adminKey, _, err := adminKey(file.Server.Admin.Key, file.Data, false)
	return Place{URL: scheme(file) + reachable(listen), AdminKey: adminKey}, err
}

func scheme(file *config.File) string {
	if file.Server.TLS.Cert != "" {
		return "https://"
	}
	return "http://"
}

// reachable is an address at which this machine reaches a listener.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// read reads a file for an operator's command, whose shell need not know the
// secrets that the gateway has.
func read(path string) (*config.File, error) {
	if path == "" {
		return &config.Default().File, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l, found := config.Parse(path, text)
	return &l.File, config.Err(found)
}

// OpenService opens the store that a file speaks of, for when no gateway runs.
// Whoever opened it calls done.
func OpenService(ctx context.Context, path string) (s *admin.Service, done func() error, err error) {
	file, err := read(path)
	if err != nil {
		return nil, nil, err
	}
	keys, tree, book, err := operated(file)
	if err != nil {
		return nil, nil, err
	}
	if err := openData(file.Data); err != nil {
		return nil, nil, err
	}
	store, down, err := openStore(ctx, file)
	switch {
	case err != nil:
		return nil, nil, err
	case down != nil:
		return nil, nil, errors.Join(down, store.Close())
	}
	books := ledger.New(store, ledger.Options{Zone: file.Location(), Clock: time.Now})
	done = func() error {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		return errors.Join(books.Close(limited), store.Close())
	}
	return &admin.Service{
		Keys: store, Audit: store.AppendAudit, Now: time.Now, Ledger: books,
		Defaults: func() key.Defaults { return file.KeyDefaults },
		Pinned:   func() []key.Key { return pinned(keys, file.Server.Open() && plan.LoopbackOnly(file)) },
		Tree:     func() *budget.Tree { return tree },
		Book:     func() *catalog.Book { return book },
	}, done, nil
}

// OpenBook is the part of OpenService that needs no store: prices.
func OpenBook(path string) (*admin.Service, error) {
	file, err := read(path)
	if err != nil {
		return nil, err
	}
	_, _, book, err := operated(file)
	return &admin.Service{Now: time.Now, Book: func() *catalog.Book { return book }}, err
}

// operated compiles what operators' commands need of a file.
func operated(file *config.File) (key.File, *budget.Tree, *catalog.Book, error) {
	keys, found := key.Compile(file.Keys, file.KeyDefaults, file.Location())
	tree, more := budget.Compile(file.Budgets, file.Location())
	found = append(found, more...)
	book, more := catalog.Embedded().With(file.Prices.Rows)
	for _, p := range append(found, more...) {
		if !p.Warning {
			return keys, nil, nil, fmt.Errorf("%s: %s (farthing check says where)", p.Path, p.Message)
		}
	}
	return keys, tree, book, nil
}
