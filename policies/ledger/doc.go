// Package ledger keeps the promise that a cap is a cap: no hold is granted that
// takes an enforced budget past its limit, with any number of gateways on one
// store.
//
// Before a request is sent its worst case is held on every budget that it
// charges (Ledger.Hold); when its bill is known it is settled (Ledger.Settle).
// Hold is handed the ranked offers and takes the first that fits, in one step of
// the store, so there is no check before an act. Settle is queued and returns
// nothing: its failures are the ledger's own.
//
// A ledger is one replica of the protocol in policies/ledger/core. It has one
// call to the store in flight; holds that come meanwhile wait together for the
// next one, which also says what the replica has of each cell (a budget's
// window), books settlements and renews the lease. What a lost answer may have
// granted is given back by naming the same cells again. Money that a killed
// process held stays charged, shown as unconfirmed.
//
// In this version a hold draws exactly what it needs, and no journal is kept on
// disk. Slices, from which holds are made without asking, and the journal change
// nothing for those who call Hold and Settle.
//
// Start with Offer and Ledger.Hold; package replica has this side of the protocol
// and package core the store's.
package ledger
