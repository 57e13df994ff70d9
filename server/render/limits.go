package render

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// Limits bound what one request may make templates do. A zero takes the default.
type Limits struct {
	Output int           // bytes of one rendered template; 8 MiB
	Total  int           // bytes of all rendered templates of a request together; 32 MiB
	Work   int           // bytes that functions may produce on the way; 128 MiB
	Depth  int           // templates within templates; 200
	Time   time.Duration // 10 s
	AtOnce int           // requests that render at the same time, others wait; 4, or one a CPU
}

func (l Limits) filled() Limits {
	def := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	def(&l.Output, 8<<20)
	def(&l.Total, 32<<20)
	def(&l.Work, 128<<20)
	def(&l.Depth, 200)
	def(&l.AtOnce, max(4, runtime.GOMAXPROCS(0)))
	if l.Time == 0 {
		l.Time = 10 * time.Second
	}
	return l
}

const (
	maxValue  = 8 << 20 // bytes of one value inside a template
	maxNested = 1000    // lists and maps within each other
)

// stopped is why a template was not let run on.
type stopped struct{ why string }

func (s *stopped) Error() string { return s.why }

func stop(format string, args ...any) error { return &stopped{fmt.Sprintf(format, args...)} }

// meter counts what a run has used up. It belongs to one goroutine.
type meter struct {
	ctx    context.Context
	limits Limits
	steps  int // rounds of loops, templates and calls of functions
	work   int // bytes
	total  int // bytes of output
	depth  int // templates within templates
}

// tick is one step. Looking at the clock each time would cost more than the steps do.
func (m *meter) tick() error {
	if m.steps++; m.steps%64 != 0 {
		return nil
	}
	return m.expired()
}

func (m *meter) expired() error {
	switch err := m.ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return stop("takes longer than %v", m.limits.Time)
	case err != nil:
		return stop("nobody waits for it any more: %v", err)
	}
	return nil
}

func (m *meter) enter() error {
	if m.depth++; m.depth > m.limits.Depth {
		return stop("templates are nested more than %d deep", m.limits.Depth)
	}
	return m.tick()
}

// spend charges bytes that are produced on the way.
func (m *meter) spend(n int) error {
	if n < 0 || n > maxValue {
		return stop("a value would be larger than %d MiB", maxValue>>20)
	}
	return m.charge(n)
}

// charge is spend for what is no single value.
func (m *meter) charge(n int) error {
	if m.work += n; m.work > m.limits.Work {
		return stop("works with more than %d MiB", m.limits.Work>>20)
	}
	return nil
}

// output collects what a template writes, up to the limit.
type output struct {
	meter *meter
	text  []byte
}

func (o *output) Write(b []byte) (int, error) {
	if len(o.text)+len(b) > o.meter.limits.Output {
		return 0, stop("writes more than %d MiB", o.meter.limits.Output>>20)
	}
	if o.meter.total += len(b); o.meter.total > o.meter.limits.Total {
		return 0, stop("all templates together write more than %d MiB", o.meter.limits.Total>>20)
	}
	o.text = append(o.text, b...)
	return len(b), nil
}

// scale weighs values: roughly the bytes of their text. What is met twice counts twice, as it
// does for all who print or copy it; so a value that holds itself weighs too much.
type scale struct {
	bytes, nodes, deepest int
}

// weigh returns what values weigh together, or an error when that is more than a value may.
func weigh(values ...any) (scale, error) {
	var s scale
	for _, v := range values {
		if err := s.add(v, 0); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *scale) add(v any, depth int) error {
	if s.nodes++; depth > s.deepest {
		s.deepest = depth
	}
	s.bytes += 8
	switch v := v.(type) {
	case nil, bool, int, int64, float64:
	case string:
		s.bytes += len(v)
	case []byte:
		s.bytes += 4 * len(v)
	case []any:
		for _, e := range v {
			if err := s.inside(e, depth); err != nil {
				return err
			}
		}
	case map[string]any:
		for k, e := range v {
			s.bytes += len(k)
			if err := s.inside(e, depth); err != nil {
				return err
			}
		}
	default:
		return s.other(reflect.ValueOf(v), depth)
	}
	return s.fits(depth)
}

func (s *scale) inside(v any, depth int) error {
	if err := s.fits(depth + 1); err != nil {
		return err
	}
	return s.add(v, depth+1)
}

func (s *scale) fits(depth int) error {
	if depth > maxNested {
		return stop("a value is nested more than %d deep, or holds itself", maxNested)
	}
	if s.bytes > maxValue {
		return stop("a value is larger than %d MiB", maxValue>>20)
	}
	return nil
}

// other weighs what sprig makes beside plain JSON values. Structs are made by Go code, and no
// larger than that makes them.
func (s *scale) other(v reflect.Value, depth int) error {
	switch v.Kind() {
	case reflect.String:
		s.bytes += v.Len()
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := s.inside(v.Index(i).Interface(), depth); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := s.inside(it.Key().Interface(), depth); err != nil {
				return err
			}
			if err := s.inside(it.Value().Interface(), depth); err != nil {
				return err
			}
		}
	}
	return s.fits(depth)
}

// shallow is what a result takes by itself, without what it refers to.
func shallow(v reflect.Value) int {
	if !v.IsValid() {
		return 0
	}
	switch v.Kind() {
	case reflect.Interface:
		return shallow(v.Elem())
	case reflect.String:
		return 16 + v.Len()
	case reflect.Slice:
		return 24 + v.Len()*int(v.Type().Elem().Size())
	case reflect.Map:
		return 48 + v.Len()*48
	}
	return 8
}
