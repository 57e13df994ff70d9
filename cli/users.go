package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"drp/cli/client"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/scrypt"
)

// userVerbs are the verbs of users alone.
func (k *kind) userVerbs() []*cobra.Command {
	return []*cobra.Command{k.userToken(), k.revokeToken(), k.password(), k.passwordHash()}
}

func (k *kind) userToken() *cobra.Command {
	return k.verb(verb{
		use:   "token [id] [ttl [ttl]] [scope [scope]] [action [action]] [specific [specific]]",
		short: "Print a token for a user",
		long: "Ask for a token of a user. ttl is its life, such as 600, 1h or 3y; scope, action and specific narrow it\n" +
			"to one claim; roles, a list with commas, to some roles of the user.",
		example: "drp users token rocketskates ttl 1h scope machines action list",
		args:    tokenWords,
		run: func(ctx context.Context, args []string) error {
			q := url.Values{}
			for i := 1; i < len(args); i += 2 {
				q.Set(args[i], args[i+1])
			}
			return k.prints(k.do(ctx, http.MethodGet, k.at(args[0], "token"), nil, client.WithQuery(q)))
		},
	})
}

func (k *kind) revokeToken() *cobra.Command {
	return k.verb(verb{
		use:   "revoketoken [id]",
		short: "End the token that is used",
		long: "End the token of -T or RS_TOKEN, or else the one that drp remembers of a login, before its time: the server\n" +
			"takes it no more, and cuts the event streams it has opened. Other tokens of the user live on; a new\n" +
			"password ends them all.",
		example: "drp -T $LOST users revoketoken rocketskates",
		args:    between(1, 1, " needs 1 arg"),
		run: func(ctx context.Context, args []string) error {
			_, err := k.do(ctx, http.MethodDelete, k.at(args[0], "token"), nil)
			return err
		},
	})
}

var tokenFlags = []string{"ttl", "scope", "action", "specific", "roles"}

func tokenWords(c *cobra.Command, args []string) string {
	if len(args) == 0 {
		return c.UseLine() + " needs at least 1 arg"
	}
	for i := 1; i < len(args); i += 2 {
		if i+1 == len(args) {
			return c.UseLine() + " needs at least 1 and pairs arg"
		}
		if !slices.Contains(tokenFlags, args[i]) {
			return c.UseLine() + " does not support " + args[i]
		}
	}
	return ""
}

func (k *kind) password() *cobra.Command {
	return k.verb(verb{
		use:     "password [id] [password]",
		short:   "Set the password of a user",
		long:    "Set the password of a user; - reads it from stdin. The tokens that the user has cease to be good.",
		example: "drp users password fred -",
		args:    between(2, 2, " needs 2 args"),
		run: func(ctx context.Context, args []string) error {
			password, err := k.secret(ctx, args[1])
			if err != nil {
				return err
			}
			return k.shows(k.do(ctx, http.MethodPut, k.at(args[0], "password"), document{"Password": password}))
		},
	})
}

// secret is the argument as typed, or a line of stdin; never a file of that name.
func (a *app) secret(ctx context.Context, arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	raw, err := a.source(ctx, arg)
	return trimLine(string(raw)), err
}

func trimLine(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '\n' || s[len(s)-1] == '\r') {
		s = s[:len(s)-1]
	}
	return s
}

// The cost of the hashes, that of the Go package simple-scrypt, whose format they have.
const (
	hashN, hashR, hashP = 16384, 8, 1
	hashBytes           = 32
	saltBytes           = 16
)

func (k *kind) passwordHash() *cobra.Command {
	return k.verb(verb{
		use:     "passwordhash [password]",
		short:   "Print the hash of a password",
		long:    "Print a hash that can stand for a password in a content pack; - reads the password from stdin. In JSON,\nPasswordHash is the base64 of this text. The server is not asked.",
		example: "drp users passwordhash - < password",
		args:    between(1, 1, " needs 1 arg"),
		run: func(ctx context.Context, args []string) error {
			password, err := k.secret(ctx, args[0])
			if err != nil {
				return err
			}
			salt := make([]byte, saltBytes)
			if _, err := rand.Read(salt); err != nil {
				return fmt.Errorf("hash a password: %w", err)
			}
			key, err := scrypt.Key([]byte(password), salt, hashN, hashR, hashP, hashBytes)
			if err != nil {
				return fmt.Errorf("hash a password: %w", err)
			}
			return k.say("%d$%d$%d$%s$%s", hashN, hashR, hashP, hex.EncodeToString(salt), hex.EncodeToString(key))
		},
	})
}
