package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"drp/models"
)

// payload is what a token says.
type payload struct {
	jwt.RegisteredClaims
	Grantor string  `json:"gra"`
	System  bool    `json:"sys,omitempty"`
	Limits  []limit `json:"lim"`
}

// newParser accepts HS256 only, whatever a token's header says, and no token without an end.
func newParser(now func() time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
	)
}

// maxToken is more than any token this server grants has; larger ones are not looked at.
const maxToken = 64 << 10

// verdict is what was found out about a token, good as long as nothing it was drawn from has
// changed.
type verdict struct {
	principal Principal
	keys      *keys
	checks    []func() bool
}

func (v *verdict) holds(k *keys) bool {
	return v.keys == k && !slices.ContainsFunc(v.checks, func(still func() bool) bool { return !still() })
}

// Token tells who holds a token and what it allows now. A token that is not one of this
// server, has expired or is no longer valid is Forbidden. White space around it does not
// matter.
func (a *Auth) Token(token string) (Principal, error) {
	token = strings.TrimSpace(token)
	// What decodes base64 passes over line ends: with some in it a token would be good under another sum.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return Principal{}, a.refuse(jwt.ErrTokenMalformed)
	}
	k, err := a.current()
	if err != nil {
		return Principal{}, err
	}
	id := sum(token)
	if a.src.Ended(id) {
		return Principal{}, a.refuse(errRevoked)
	}
	if v, ok := a.tokens.get(id, a.now()); ok && v.holds(k) {
		return v.principal, nil
	}
	v, err := a.judge(k, token)
	if err != nil {
		return Principal{}, a.refuse(err)
	}
	a.tokens.put(id, v, v.principal.Expires, a.now())
	return v.principal, nil
}

// sum is what a token is known by. No two that are granted are the same: each has an ID of its own.
func sum(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// Sum is what a token is known by, in hexadecimal digits.
func Sum(token string) string {
	id := sum(strings.TrimSpace(token))
	return hex.EncodeToString(id[:])
}

func (a *Auth) judge(k *keys, token string) (*verdict, error) {
	var p payload
	_, err := a.parser.ParseWithClaims(token, &p, func(*jwt.Token) (any, error) { return k.signing(p.System), nil })
	if err != nil {
		return nil, err
	}
	who, checks, err := a.resolve(k, p.Subject, right{System: p.System, Limits: p.Limits})
	if err != nil {
		return nil, err
	}
	who.Expires = p.ExpiresAt.Time
	return &verdict{principal: who, keys: k, checks: checks}, nil
}

// refusal words why a token is not valid.
func refusal(err error) error {
	why := refusals[refusalOf(err)].why
	return models.Problem(models.Forbidden, "", "", "Invalid token: "+why).Typed("system")
}

// Request is what the caller asks of a token for a user. The zero Request asks for all that
// the user may do, for DefaultTTL.
type Request struct {
	TTL time.Duration
	// Scope, Action and Specific, if one is given, narrow the token to that claim; each is a
	// comma list or "*", and one left out is "*".
	Scope, Action, Specific string
	// Roles, if any, narrow the token to those roles. One that allows more than the grantor
	// may do is left out without a word.
	Roles []string
}

// maxNarrow bounds what a request writes into its token.
const maxNarrow = 4096

// UserToken grants a token for a user. It allows what the user may, what the grantor may and
// what was asked for, and only what all three do; it ends when the secret of the user or of
// the grantor is changed.
func (a *Auth) UserToken(grantor Principal, user string, r Request) (string, error) {
	u, ok := a.src.User(user)
	if !ok {
		return "", models.MissingError("users", user)
	}
	k, err := a.current()
	if err != nil {
		return "", err
	}
	limits := []limit{k.bind("user:"+u.Name, u.Secret)}
	narrow := len(r.Scope) + len(r.Action) + len(r.Specific)
	if narrow > maxNarrow {
		return "", models.Problem(models.BadRequest, "users", user, fmt.Sprintf("scope, action and specific are longer than %d bytes", maxNarrow))
	}
	if narrow > 0 {
		limits = append(limits, limit{Of: "only", Claims: models.Claims{r.claim()}})
	}
	if len(r.Roles) > 0 {
		limits = append(limits, limit{Of: "roles:" + u.Name, Roles: a.within(grantor.Claims, r.Roles)})
	}
	return a.grant(k, grantor, r.TTL, limits...)
}

func (r Request) claim() models.Claim {
	all := func(s string) string {
		if s == "" {
			return "*"
		}
		return s
	}
	return claim(all(r.Scope), all(r.Action), all(r.Specific))
}

// within drops the roles that are unknown or allow more than the claims.
func (a *Auth) within(claims models.Claims, roles []string) []string {
	kept := []string{}
	for _, name := range roles {
		name = strings.TrimSpace(name)
		if r, ok := a.src.Role(name); ok && claims.Contain(r.Claims) && !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// MachineToken grants a token for a machine: MachineClaims, as far as the grantor has them.
func (a *Auth) MachineToken(grantor Principal, uuid string, ttl time.Duration) (string, error) {
	m, ok := a.src.Machine(uuid)
	if !ok {
		return "", models.MissingError("machines", uuid)
	}
	k, err := a.current()
	if err != nil {
		return "", err
	}
	grantor.right.Limits = a.withoutJobsOf(m.Uuid, grantor.right.Limits)
	return a.grant(k, grantor, ttl, k.bind("machine:"+m.Uuid, m.Secret))
}

// withoutJobsOf lets a job grant as its machine, which may do less: what it installs on the
// machine is to outlive it.
func (a *Auth) withoutJobsOf(machine string, limits []limit) []limit {
	return slices.DeleteFunc(slices.Clone(limits), func(l limit) bool {
		sort, uuid, _ := strings.Cut(l.Of, ":")
		if sort != "job" {
			return false
		}
		j, ok := a.src.Job(uuid)
		return ok && j.Machine == machine
	})
}

// JobToken grants the token of a job: what its machine may do, and the job's ExtraClaims. It
// is valid only as long as the job is the current one of its machine and not ended.
func (a *Auth) JobToken(job *models.Job) (string, error) {
	m, ok := a.src.Machine(job.Machine)
	if !ok {
		return "", models.MissingError("machines", job.Machine)
	}
	k, err := a.current()
	if err != nil {
		return "", err
	}
	l := k.bind("job:"+job.Uuid, m.Secret)
	l.Claims = job.ExtraClaims
	return a.grant(k, System(), InfiniteTTL, l)
}

// ProfileToken grants, in the name of the server, the token of a profile: ProfileClaims.
func (a *Auth) ProfileToken(profile string, ttl time.Duration) (string, error) {
	// A name such as "*" or "a,b" would open other profiles.
	if bad := (&models.Profile{Name: profile}).Validate(); len(bad) > 0 {
		return "", models.Problem(models.Invalid, "profiles", profile, bad...).Typed("ValidationError")
	}
	k, err := a.current()
	if err != nil {
		return "", err
	}
	return a.grant(k, System(), ttl, k.bind("profile:"+profile, ""))
}

// PluginToken grants, in the name of the server, the token of a plugin, which may do everything. It
// ends with the plugin.
func (a *Auth) PluginToken(plugin string) (string, error) {
	if !a.src.Plugin(plugin) {
		return "", models.MissingError("plugins", plugin)
	}
	k, err := a.current()
	if err != nil {
		return "", err
	}
	return a.grant(k, System(), InfiniteTTL, k.bind("plugin:"+plugin, ""))
}

// UnknownToken grants, in the name of the server, a token for a host without a machine:
// UnknownClaims.
func (a *Auth) UnknownToken(ttl time.Duration) (string, error) {
	k, err := a.current()
	if err != nil {
		return "", err
	}
	return a.grant(k, System(), ttl, k.bind("unknown", ""))
}

// grant signs a token of the limits and those of the grantor. It ends at the first full
// second after ttl; a ttl that is not positive is DefaultTTL.
func (a *Auth) grant(k *keys, grantor Principal, ttl time.Duration, limits ...limit) (string, error) {
	if !grantor.right.System && len(grantor.right.Limits) == 0 {
		return "", fmt.Errorf("grant a token to %s: the grantor %q was not authenticated", limits[0].Of, grantor.Name)
	}
	r, err := grantor.right.with(limits...)
	if err != nil {
		return "", err
	}
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	now := a.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, payload{
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        base64.RawURLEncoding.EncodeToString(random(12)),
			Subject:   limits[0].Of,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl + time.Second - 1)),
		},
		Grantor: grantor.Name,
		System:  r.System,
		Limits:  r.Limits,
	})
	signed, err := token.SignedString(k.signing(r.System))
	if err != nil {
		return "", fmt.Errorf("sign a token for %s: %w", limits[0].Of, err)
	}
	return signed, nil
}
