package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"

	"drp/models"
)

// The cost of the hashes we make: argon2id with 19 MiB and two passes, some 20 ms.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashLanes  = 1
	saltSize   = 16
	keySize    = 32
)

// The most that a hash made elsewhere may cost; one that asks for more matches no password.
const (
	maxMemory = 64 << 20 // bytes
	maxPasses = 10
	maxLanes  = 16
	maxScrypt = 1 << 20 // N*r*p; the usual hash has 2^17
	minBytes  = 8
	maxBytes  = 128
)

const maxPassword = 1024

// Hash makes the text to keep instead of a password: argon2id in the PHC format. A password
// that is empty or longer than a kilobyte is Invalid.
func Hash(password string) ([]byte, error) {
	switch n := len(password); {
	case n == 0:
		return nil, models.Errorf(models.Invalid, nil, "The password is empty").Typed("ValidationError")
	case n > maxPassword:
		return nil, models.Errorf(models.Invalid, nil, "The password is longer than %d bytes", maxPassword).Typed("ValidationError")
	}
	salt := random(saltSize)
	return phc(salt, argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, keySize)), nil
}

func phc(salt, key []byte) []byte {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Appendf(nil, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, b64(salt), b64(key))
}

// Verify tells whether a hash was made from the password. It knows argon2id in the PHC format
// and "N$r$p$salt$key", scrypt with salt and key in hex, as long as they cost no more than a
// bound; other text matches nothing.
func Verify(hash []byte, password string) bool {
	if len(password) > maxPassword || len(hash) > 1024 {
		return false
	}
	have, want, ok := rehash(string(hash), password)
	return ok && subtle.ConstantTimeCompare(have, want) == 1
}

// rehash derives the key of a password as the hash was derived, and returns the key of the
// hash with it.
func rehash(hash, password string) (have, want []byte, ok bool) {
	fields := strings.Split(hash, "$")
	switch {
	case len(fields) == 6 && fields[0] == "" && fields[1] == "argon2id":
		return rehashArgon2(fields[2:], password)
	case len(fields) == 5:
		return rehashScrypt(fields, password)
	}
	return nil, nil, false
}

// rehashArgon2 takes the fields v=19, m=M,t=T,p=P, salt and key.
func rehashArgon2(fields []string, password string) (have, want []byte, ok bool) {
	p := map[string]int{}
	for _, f := range append(strings.Split(fields[1], ","), fields[0]) {
		name, value, _ := strings.Cut(f, "=")
		p[name] = number(value)
	}
	m, t, lanes := p["m"], p["t"], p["p"]
	salt, saltErr := base64.RawStdEncoding.DecodeString(fields[2])
	want, keyErr := base64.RawStdEncoding.DecodeString(fields[3])
	switch {
	case saltErr != nil, keyErr != nil, !sized(salt), !sized(want), p["v"] != argon2.Version:
		return nil, nil, false
	case m < 1, m > maxMemory>>10, t < 1, t > maxPasses, lanes < 1, lanes > maxLanes:
		return nil, nil, false
	}
	return argon2.IDKey([]byte(password), salt, uint32(t), uint32(m), uint8(lanes), uint32(len(want))), want, true
}

// rehashScrypt takes the fields N, r, p, salt and key.
func rehashScrypt(fields []string, password string) (have, want []byte, ok bool) {
	n, r, p := number(fields[0]), number(fields[1]), number(fields[2])
	salt, saltErr := hex.DecodeString(fields[3])
	want, keyErr := hex.DecodeString(fields[4])
	switch {
	case saltErr != nil, keyErr != nil, !sized(salt), !sized(want):
		return nil, nil, false
	case n < 2, r < 1, p < 1, n > maxScrypt/r, n*r > maxScrypt/p, n*r > maxMemory/128:
		return nil, nil, false
	}
	have, err := scrypt.Key([]byte(password), salt, n, r, p, len(want))
	return have, want, err == nil
}

func sized(b []byte) bool { return len(b) >= minBytes && len(b) <= maxBytes }

// number reads a decimal number of reasonable size, and is 0 for anything else.
func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 30)
	if err != nil {
		return 0
	}
	return int(n)
}
