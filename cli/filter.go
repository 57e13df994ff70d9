package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/itchyny/gojq"
)

// filter is what --jq gives, checked before anything is asked of a server.
func (a *app) filter() error {
	if a.flags.jq == "" {
		return nil
	}
	query, err := gojq.Parse(a.flags.jq)
	if err != nil {
		return &usageError{"--jq: " + err.Error()}
	}
	if a.jq, err = gojq.Compile(query, gojq.WithEnvironLoader(os.Environ)); err != nil {
		return &usageError{"--jq: " + err.Error()}
	}
	return nil
}

// printThrough prints what the filter makes of a value: texts as they are, so that shells can use
// them, all else in the format asked for.
func (a *app) printThrough(v any) error {
	out := a.jq.Run(v)
	for {
		v, ok := out.Next()
		if !ok {
			return nil
		}
		if err, failed := v.(error); failed {
			return fmt.Errorf("--jq: %w", err)
		}
		text, isText := v.(string)
		if !isText {
			raw, err := gojq.Marshal(v)
			if err != nil {
				return fmt.Errorf("--jq: %w", err)
			}
			if v, err = generic(json.RawMessage(raw)); err != nil { // keeps the digits
				return err
			}
			shown, err := formats[a.flags.format](a, v)
			if err != nil {
				return err
			}
			text = string(bytes.TrimRight(shown, "\n"))
		}
		if err := a.say("%s", text); err != nil {
			return err
		}
	}
}
