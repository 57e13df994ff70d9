package patch

import (
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// editList changes one element of list, whose index was checked against its length.
// The library sees this list alone, with the index as path. So what it would do
// otherwise than promised cannot show: it reads the key "" as the object itself,
// spells the keys of objects anew, and takes indexes like -1 and 01.
func (e *editor) editList(list *node, op, index string, to node) error {
	text := make([]byte, 0, 64+len(to.raw))
	text = append(text, `[{"op":"`+op+`","path":"/`+index+`","value":`...)
	text = append(to.appendTo(text), `}]`...)
	edit, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return fmt.Errorf("%s element %s: %w", op, index, err)
	}
	before := list.bytes()
	if err := e.handle(len(before)); err != nil {
		return err
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	options.EscapeHTML = false
	after, err := edit.ApplyWithOptions(before, options)
	if err != nil {
		return fmt.Errorf("%s element %s: %w", op, index, err)
	}
	*list = node{raw: after}
	return nil
}
