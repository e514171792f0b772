package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// Table is what a run found.
type Table struct {
	Version string    `json:"version"`
	Began   time.Time `json:"began"`
	Took    string    `json:"took"`
	Machine string    `json:"machine"`
	Cores   int       `json:"cores"`
	Rounds  int       `json:"rounds"`
	Moment  string    `json:"moment"` // of each measurement in a round
	Short   bool      `json:"short,omitempty"`
	Groups  []Group   `json:"groups"`
}

// Group is a part of the table.
type Group struct {
	Name  string `json:"name"`
	About string `json:"about"`
	Rows  []Row  `json:"rows"`
}

// New begins a table.
func New(version string, rounds int, moment time.Duration, short bool) *Table {
	return &Table{
		Version: version, Began: time.Now().UTC(), Machine: runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version(),
		Cores: runtime.NumCPU(), Rounds: rounds, Moment: moment.String(), Short: short,
	}
}

// Print writes the table for people.
func (t *Table) Print(out io.Writer) error {
	fmt.Fprintf(out, "farthing %s on %s, %s; %s of %s, median (p10 – p90) over them\n", t.Version, t.Machine, Plural(t.Cores, "core"), Plural(t.Rounds, "round"), t.Moment)
	if t.Short {
		fmt.Fprintln(out, "a short run: it proves that every row can be measured, and its figures mean little")
	}
	for _, g := range t.Groups {
		fmt.Fprintf(out, "\n%s: %s\n", g.Name, g.About)
		if err := g.print(out); err != nil {
			return err
		}
	}
	return nil
}

// print writes the rows in columns. What is the same as above is left out.
func (g *Group) print(out io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 4, 2, ' ', 0)
	var above Row
	for _, r := range g.Rows {
		name, who := r.Case, r.Who
		if name == above.Case && who == above.Who {
			who = ""
		}
		if name == above.Case {
			name = ""
		}
		above = r
		ratio := "\t\t"
		if r.Ratio != nil {
			ratio = fmt.Sprintf("× %s\t(%s – %s)\tof %s", digits(r.Ratio.Median), digits(r.Ratio.P10), digits(r.Ratio.P90), r.Than)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t(%s – %s)\t%s\n", name, who, r.What, amount(r.Median, r.Unit), amount(r.P10, r.Unit), amount(r.P90, r.Unit), ratio)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range bytes.Lines(text.Bytes()) {
		if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the table to a file as JSON, unless path is "".
func (t *Table) Write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// amount writes a figure in its unit with three digits.
func amount(v float64, unit string) string {
	switch {
	case unit == "ns" && math.Abs(v) >= 1e9:
		return digits(v/1e9) + " s"
	case unit == "ns" && math.Abs(v) >= 1e6:
		return digits(v/1e6) + " ms"
	case unit == "ns" && math.Abs(v) >= 1e3:
		return digits(v/1e3) + " µs"
	case unit == "":
		return digits(v)
	case unit == "1/s":
		return digits(v) + "/s"
	}
	return digits(v) + " " + unit
}

// digits writes a number with three digits that mean something.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	places := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	s := fmt.Sprintf("%.*f", min(places, 4), v)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Plural writes a number of things.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
