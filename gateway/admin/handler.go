package admin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"farthing/providers"
)

// Handler serves the service as JSON below /admin/v1/ to whoever shows the
// admin key as a bearer.
func Handler(s *Service, adminKey string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/v1/keys", s.reply(func(r *http.Request) (any, error) { return s.ListKeys(r.Context()) }))
	mux.HandleFunc("POST /admin/v1/keys", s.reply(func(r *http.Request) (any, error) {
		var n NewKey
		if err := decode(r, &n); err != nil {
			return nil, err
		}
		return s.CreateKey(r.Context(), n)
	}))
	mux.HandleFunc("DELETE /admin/v1/keys/{name...}", s.reply(func(r *http.Request) (any, error) { return s.RevokeKey(r.Context(), r.PathValue("name")) }))
	mux.HandleFunc("GET /admin/v1/budgets", s.reply(func(r *http.Request) (any, error) { return s.Budgets(r.Context()) }))
	mux.HandleFunc("GET /admin/v1/prices", s.reply(func(r *http.Request) (any, error) { return s.Prices(r.Context(), r.URL.Query().Get("match")) }))
	mux.HandleFunc("GET /admin/v1/prices/{target...}", s.reply(func(r *http.Request) (any, error) { return s.PriceOf(r.Context(), r.PathValue("target")) }))
	mux.HandleFunc("GET /admin/v1/targets", s.reply(func(*http.Request) (any, error) { return s.Targets(), nil }))
	mux.HandleFunc("GET /admin/v1/receipts", s.reply(func(r *http.Request) (any, error) {
		limit, err := pageSize(r.URL.Query().Get("limit"))
		if err != nil {
			return nil, err
		}
		page, err := s.Receipts.Page(r.Context(), r.URL.Query().Get("before"), limit)
		return page, storeError(err)
	}))
	mux.HandleFunc("GET /admin/v1/receipts/{id}", s.reply(func(r *http.Request) (any, error) {
		rc, ok, err := s.Receipts.Find(r.Context(), r.PathValue("id"))
		switch {
		case err != nil:
			return nil, storeError(err)
		case !ok:
			return nil, &providers.Error{Kind: providers.NotFound, Message: "there is no receipt with this id"}
		}
		return rc, nil
	}))
	mux.HandleFunc("/", s.reply(func(r *http.Request) (any, error) {
		return nil, &providers.Error{Kind: providers.NotFound, Message: "no such operation: " + r.Method + " " + r.URL.Path}
	}))
	return guard(adminKey, mux)
}

// maxPage bounds a page of receipts.
const maxPage = 200

// pageSize reads how many receipts a page is to have: at most maxPage, and that
// many if nothing is said.
func pageSize(text string) (int, error) {
	if text == "" {
		return maxPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, &providers.Error{Kind: providers.Invalid, Param: "limit", Message: fmt.Sprintf("limit is %q: give a whole number from 1 to %d", text, maxPage)}
	}
	return min(n, maxPage), nil
}

// guard lets the admin key in and nobody else.
func guard(adminKey string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if adminKey == "" || !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(sent), []byte(adminKey)) != 1 {
			write(w, http.StatusUnauthorized, problem{Error: "the admin key is needed: Authorization: Bearer …"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// problem is the body of a refusal.
type problem struct {
	Error string `json:"error"`
	Param string `json:"param,omitempty"`
}

// reply serves an operation. What went wrong on our side is logged with its
// cause, which nobody is told.
func (s *Service) reply(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		if err == nil {
			write(w, http.StatusOK, v)
			return
		}
		e := providers.AsError(err)
		status, ok := statuses[e.Kind]
		if !ok {
			status = http.StatusInternalServerError
		}
		if status >= http.StatusInternalServerError && s.Log != nil {
			s.Log.Warn("an operation failed", "operation", r.Method+" "+r.URL.Path, "error", err)
		}
		write(w, status, problem{Error: e.Message, Param: e.Param})
	}
}

// statuses of the kinds that operations end in; the data plane has its own,
// larger table in the edge.
var statuses = map[providers.Kind]int{
	providers.Invalid: 400, providers.NotFound: 404, providers.Forbidden: 403, providers.Unavailable: 503,
}

func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	if err != nil {
		return &providers.Error{Kind: providers.Invalid, Message: "the body is not what this operation takes: " + err.Error()}
	}
	return nil
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}
