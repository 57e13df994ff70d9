package models

import "encoding/json"

// UserToken is the answer to a request for a token.
type UserToken struct {
	Token string
	Info  json.RawMessage
}
