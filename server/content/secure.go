package content

import (
	"encoding/json"

	"drp/models"
	"drp/server/objects"
)

// reveal puts the secure params of an object that nobody else has in clear, if the caller may see
// them: a pack that is shown can then be uploaded to any server.
func (s *Service) reveal(actor objects.Actor, o models.Object) {
	h, ok := o.(models.ParamHolder)
	if ok && s.Clear != nil && actor.May(o.Kind(), "getSecure", objects.AuthKey(o)) {
		*h.ParamMap() = s.Clear(h)
	}
}

// raw is an object of the writable layer as the caller may see it.
func (s *Service) raw(actor objects.Actor, e *objects.Entry) (json.RawMessage, error) {
	if _, ok := e.Object.(models.ParamHolder); !ok {
		return e.Raw, nil
	}
	o := e.Clone()
	s.reveal(actor, o)
	return models.Marshal(o)
}
