// Package learn turns feedback and outcomes into better estimates: calibration
// of quality for each target, and the training of the difficulty model. This
// version learns the lengths of answers only (policies/estimate); quality is the
// targets' published ability, and receipts say so.
package learn
