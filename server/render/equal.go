package render

import (
	"fmt"
	"reflect"
)

// equal is eq as the language has it: one of the others equals the first. The language's own
// prints what it cannot compare, however large, or endless, that is.
func equal(first any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, fmt.Errorf("missing argument for comparison")
	}
	for _, o := range others {
		same, err := same(reflect.ValueOf(first), reflect.ValueOf(o))
		if same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func notEqual(a, b any) (bool, error) {
	same, err := equal(a, b)
	return !same, err
}

// same compares two values. Whole numbers compare whatever their types; other basic types only
// with their like.
func same(a, b reflect.Value) (bool, error) {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid() || nilled(a) || nilled(b), nil
	}
	x, y := basic(a), basic(b)
	switch {
	case x == reflect.Int && y == reflect.Uint:
		return a.Int() >= 0 && uint64(a.Int()) == b.Uint(), nil
	case x == reflect.Uint && y == reflect.Int:
		return b.Int() >= 0 && uint64(b.Int()) == a.Uint(), nil
	case x != y:
		return false, fmt.Errorf("incompatible types for comparison: %v and %v", a.Type(), b.Type())
	case x != reflect.Invalid:
		return basics[x](a, b), nil
	case a.Kind() == b.Kind() && (nilled(a) || nilled(b)):
		return nilled(a) && nilled(b), nil
	case a.Kind() != b.Kind() || !a.Comparable() || !b.Comparable():
		return false, fmt.Errorf("cannot compare %v and %v", a.Type(), b.Type())
	}
	return a.Interface() == b.Interface(), nil
}

func nilled(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Func, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// basic is the kind that stands for all that compare with each other; Invalid for what is not
// basic.
func basic(v reflect.Value) reflect.Kind {
	switch k := v.Kind(); {
	case v.CanInt():
		return reflect.Int
	case v.CanUint():
		return reflect.Uint
	case v.CanFloat():
		return reflect.Float64
	case v.CanComplex():
		return reflect.Complex128
	case k == reflect.String || k == reflect.Bool:
		return k
	}
	return reflect.Invalid
}

var basics = map[reflect.Kind]func(a, b reflect.Value) bool{
	reflect.Int:        func(a, b reflect.Value) bool { return a.Int() == b.Int() },
	reflect.Uint:       func(a, b reflect.Value) bool { return a.Uint() == b.Uint() },
	reflect.Float64:    func(a, b reflect.Value) bool { return a.Float() == b.Float() },
	reflect.Complex128: func(a, b reflect.Value) bool { return a.Complex() == b.Complex() },
	reflect.String:     func(a, b reflect.Value) bool { return a.String() == b.String() },
	reflect.Bool:       func(a, b reflect.Value) bool { return a.Bool() == b.Bool() },
}
