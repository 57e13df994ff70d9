package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drp/models"
)

// right is where claims come from: what all its limits allow. A grant adds limits to those of
// its grantor and never takes one away, so a token allows nothing that its grantor does not,
// not even after a role was changed.
type right struct {
	System bool    // the server granted it, or something it is derived from
	Limits []limit // the first is that of the subject
}

// limit is one set of claims, by a name that is resolved anew each time.
type limit struct {
	Of     string        `json:"o"`           // "user:NAME" or another row of subjects
	Secret string        `json:"s,omitempty"` // the stamp of the subject's secret at the time of the grant
	Roles  []string      `json:"r,omitempty"` // of "roles:USER": nothing else
	Claims models.Claims `json:"c,omitempty"` // of "only": nothing else; of a job: these as well
}

func (l limit) equal(m limit) bool {
	return l.Of == m.Of && l.Secret == m.Secret && slices.Equal(l.Roles, m.Roles) && slices.Equal(l.Claims, m.Claims)
}

// maxLimits bounds what a chain of grantors can pile up in a token. Who refreshes his own
// token adds nothing, so that only contrived chains come near.
const maxLimits = 16

// with adds limits to a right, each once, the new ones first.
func (r right) with(limits ...limit) (right, error) {
	sum := right{System: r.System, Limits: limits}
	for _, l := range r.Limits {
		if !slices.ContainsFunc(sum.Limits, l.equal) {
			sum.Limits = append(sum.Limits, l)
		}
	}
	if len(sum.Limits) > maxLimits {
		return right{}, models.Errorf(models.Forbidden, nil, "Too many grantors").Typed("AUTH")
	}
	return sum, nil
}

// standing is what a limit amounts to now.
type standing struct {
	claims models.Claims
	secret string      // of the subject
	tenant string      // that the subject is in, or ""
	still  func() bool // tells later whether all of that is as it was
}

func always() bool { return true }

// subjects is how each sort of limit is resolved; the name is what follows the colon. It is
// false when there is no such subject, or when its tokens are over.
var subjects = map[string]func(src Source, name string, l limit) (standing, bool){
	"user":    ofUser,
	"roles":   ofRoles,
	"machine": ofMachine,
	"job":     ofJob,
	"profile": func(_ Source, name string, _ limit) (standing, bool) {
		return standing{claims: ProfileClaims(name), still: always}, true
	},
	"plugin": func(src Source, name string, _ limit) (standing, bool) {
		here := func() bool { return src.Plugin(name) }
		return standing{claims: everything(), still: here}, here()
	},
	"unknown": func(Source, string, limit) (standing, bool) {
		return standing{claims: UnknownClaims(), still: always}, true
	},
	"only": func(_ Source, _ string, l limit) (standing, bool) {
		return standing{claims: l.Claims, still: always}, true
	},
}

func ofUser(src Source, name string, _ limit) (standing, bool) {
	u, ok := src.User(name)
	if !ok {
		return standing{}, false
	}
	claims, sameRoles := rolesOf(src, u.Roles)
	tenant := src.Tenant(u.Name)
	still := func() bool {
		v, ok := src.User(name)
		return ok && (v == u || v.Secret == u.Secret && slices.Equal(v.Roles, u.Roles)) && sameRoles() && src.Tenant(u.Name) == tenant
	}
	return standing{append(selfClaims(u.Name), claims...), u.Secret, tenant, still}, true
}

// ofRoles leaves out the right to change the password: with it the holder could log in and
// have all the roles again.
func ofRoles(src Source, name string, l limit) (standing, bool) {
	claims, sameRoles := rolesOf(src, l.Roles)
	return standing{claims: append(models.Claims{claim("users", "get,token", name)}, claims...), still: sameRoles}, true
}

func ofMachine(src Source, uuid string, _ limit) (standing, bool) {
	m, ok := src.Machine(uuid)
	if !ok {
		return standing{}, false
	}
	still := func() bool {
		n, ok := src.Machine(uuid)
		return ok && (n == m || n.Secret == m.Secret && n.Address == m.Address)
	}
	return standing{claims: MachineClaims(m), secret: m.Secret, still: still}, true
}

// ofJob ends with the job, and with its turn.
func ofJob(src Source, uuid string, l limit) (standing, bool) {
	live := func() (*models.Job, bool) {
		j, ok := src.Job(uuid)
		return j, ok && j.Current && !j.State.Final()
	}
	j, ok := live()
	if !ok {
		return standing{}, false
	}
	machine, ok := ofMachine(src, j.Machine, limit{})
	still := func() bool {
		_, ok := live()
		return ok && machine.still()
	}
	return standing{claims: append(machine.claims, l.Claims...), secret: machine.secret, still: still}, ok
}

// rolesOf is what roles allow now; the func tells later whether they still do. A role that is
// not there allows nothing.
func rolesOf(src Source, names []string) (models.Claims, func() bool) {
	var claims models.Claims
	roles := make([]*models.Role, len(names))
	for i, name := range names {
		if r, ok := src.Role(name); ok {
			roles[i], claims = r, append(claims, r.Claims...)
		}
	}
	return claims, func() bool {
		for i, name := range names {
			r, ok := src.Role(name)
			was := roles[i]
			if ok != (was != nil) || ok && r != was && !slices.Equal(r.Claims, was.Claims) {
				return false
			}
		}
		return true
	}
}

var errRevoked = errors.New("revoked")

// resolve makes the principal of a right as it stands now, and tells how to see later that nothing
// of it has changed.
func (a *Auth) resolve(k *keys, name string, r right) (who Principal, checks []func() bool, err error) {
	if len(r.Limits) == 0 {
		return who, nil, errRevoked
	}
	who = Principal{Name: name, Claims: everything(), right: r}
	checks = make([]func() bool, len(r.Limits))
	for i, l := range r.Limits {
		sort, name, _ := strings.Cut(l.Of, ":")
		of, ok := subjects[sort]
		if !ok {
			return who, nil, errRevoked
		}
		s, ok := of(a.src, name, l)
		if !ok || !hmac.Equal([]byte(l.Secret), []byte(k.stamp(l.Of, s.secret))) {
			return who, nil, errRevoked
		}
		who.Claims, checks[i] = intersect(who.Claims, s.claims), s.still
		if s.tenant != "" && !slices.Contains(who.Tenants, s.tenant) {
			who.Tenants = append(who.Tenants, s.tenant)
		}
	}
	return who, checks, nil
}

// keys are what tokens are signed with. They follow the preferences, so that a new
// baseTokenSecret ends all tokens and a new systemGrantorSecret those that the server granted.
type keys struct {
	base, system string // the preferences they were derived from
	byUser       []byte
	bySystem     []byte
	stamps       []byte
}

const baseSecretSize = 32

// current returns the keys of the secrets in force; the same pointer as long as those are the
// same.
func (a *Auth) current() (*keys, error) {
	base, system := a.src.Pref(baseSecretPref), a.src.Pref(systemSecretPref)
	if k := a.keys.Load(); k != nil && k.base == base && k.system == system {
		return k, nil
	}
	if len(base) != baseSecretSize {
		return nil, fmt.Errorf("token keys: the preference %s is not %d bytes long", baseSecretPref, baseSecretSize)
	}
	k := &keys{base: base, system: system}
	for _, d := range []struct {
		key        *[]byte
		salt, info string
	}{
		{&k.byUser, "", "drp token"},
		{&k.bySystem, system, "drp system token"},
		{&k.stamps, "", "drp secret stamp"},
	} {
		key, err := hkdf.Key(sha256.New, []byte(base), []byte(d.salt), d.info, 32)
		if err != nil {
			return nil, fmt.Errorf("token keys: %w", err)
		}
		*d.key = key
	}
	a.keys.Store(k)
	return k, nil
}

// signing is the key of tokens of a right.
func (k *keys) signing(system bool) []byte {
	if system {
		return k.bySystem
	}
	return k.byUser
}

// stamp stands in a token for the secret of a subject: it tells a reader of the token nothing
// about the secret.
func (k *keys) stamp(of, secret string) string {
	if secret == "" {
		return ""
	}
	h := hmac.New(sha256.New, k.stamps)
	h.Write([]byte(of + "\x00" + secret))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// bind is the limit of a subject with its secret as it is now.
func (k *keys) bind(of, secret string) limit {
	return limit{Of: of, Secret: k.stamp(of, secret)}
}
