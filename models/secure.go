package models

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// SecureData is the value of a secure param as it stands on the wire and in the store: a NaCl box
// of the value's JSON for the public key of the object that holds it. Who has sealed it cannot be
// told, for the sender's key is made for this one value.
type SecureData struct {
	Key     []byte // the sender's public key
	Nonce   []byte
	Payload []byte // the JSON, 16 bytes longer
}

// Lengths of what SecureData consists of, in bytes.
const (
	SecureKeyLen   = 32
	SecureNonceLen = 24
	SecureOverhead = 16
)

// ReadSecureData reads a value that is meant as SecureData: an object of Key, Nonce and Payload and
// nothing else. It is nil for any other value. The error says what is wrong with one that is meant
// so, without a word of what it holds.
func ReadSecureData(value json.RawMessage) (*SecureData, error) {
	if len(value) == 0 || value[0] != '{' || !bytes.Contains(value, []byte(`"Payload"`)) {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || len(members) != 3 || members["Key"] == nil || members["Nonce"] == nil {
		return nil, nil
	}
	s := &SecureData{}
	for _, m := range []struct {
		name string
		into *[]byte
	}{{"Key", &s.Key}, {"Nonce", &s.Nonce}, {"Payload", &s.Payload}} {
		if json.Unmarshal(members[m.name], m.into) != nil {
			return nil, fmt.Errorf("%s is not base64", m.name)
		}
	}
	switch {
	case len(s.Key) != SecureKeyLen:
		return nil, fmt.Errorf("Key has %d bytes, not %d", len(s.Key), SecureKeyLen) //nolint:staticcheck // a name
	case len(s.Nonce) != SecureNonceLen:
		return nil, fmt.Errorf("Nonce has %d bytes, not %d", len(s.Nonce), SecureNonceLen) //nolint:staticcheck // a name
	case len(s.Payload) <= SecureOverhead:
		return nil, fmt.Errorf("Payload has %d bytes, and must have more than %d", len(s.Payload), SecureOverhead) //nolint:staticcheck // a name
	}
	return s, nil
}

// IsSecureData tells whether a value is SecureData, whoever may open it.
func IsSecureData(value json.RawMessage) bool {
	s, err := ReadSecureData(value)
	return err == nil && s != nil
}

// KeyPair is the key pair of one object that carries params: what its secure params are sealed with
// and opened. It comes and goes with the object.
type KeyPair struct {
	Common
	Name    string // of the object: its kind and key, such as "profiles/global"
	Public  []byte // 32 bytes
	Private []byte // sealed with a key of the server
	Seal    string // which key of the server that is
}

// KeyPairName is the name of the key pair of an object.
func KeyPairName(kind, key string) string { return kind + "/" + key }

func (*KeyPair) Kind() string  { return "key_pairs" }
func (p *KeyPair) Key() string { return p.Name }
func (p *KeyPair) Normalize()  { p.normalize() }

func (p *KeyPair) Validate() []string {
	if p.Name == "" || len(p.Public) != SecureKeyLen || len(p.Private) == 0 || p.Seal == "" {
		return []string{"it is no whole key pair"}
	}
	return nil
}

// SecureName is the name of a param that is secure, or once was: what history tells of its values in
// clear is not shown any more.
type SecureName struct {
	Common
	Name string
}

func (*SecureName) Kind() string  { return "secure_names" }
func (n *SecureName) Key() string { return n.Name }
func (n *SecureName) Normalize()  { n.normalize() }

func (n *SecureName) Validate() []string {
	var bad problems
	bad.name(nameParam, "Name", n.Name)
	return bad
}
