// Package auth tells who asks and what they may do: passwords, tokens and the rights behind
// them. Whether a right covers a request is decided where the request is served.
package auth

import (
	"crypto/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"drp/models"
)

// The user of a fresh server, who may do everything, and the password it has until somebody
// gives it a better one.
const (
	BootstrapUser   = "rocketskates"
	DefaultPassword = "r0cketsk8ts"
)

// The preferences that auth reads.
const (
	baseSecretPref   = "baseTokenSecret"
	systemSecretPref = "systemGrantorSecret"
)

// Source is what auth needs to know of the stored objects. What it returns is never changed
// afterwards: a changed object is another one.
type Source interface {
	User(name string) (*models.User, bool)
	Role(name string) (*models.Role, bool)
	Machine(uuid string) (*models.Machine, bool)
	Job(uuid string) (*models.Job, bool)
	// Ended tells whether the token of the sum was ended by its holder. It must be quick.
	Ended(sum [32]byte) bool
	// Plugin tells whether there is a plugin of the name.
	Plugin(name string) bool
	// Tenant is the name of the tenant that a user is in, or "". It must be quick.
	Tenant(user string) string
	// Pref is the value of a preference, its default included.
	Pref(name string) string
}

// Principal is somebody whose password or token was found to be right.
type Principal struct {
	Name    string        // "user:rocketskates", "machine:UUID", "job:UUID", "profile:NAME", "plugin:NAME", "unknown" or "system"
	Claims  models.Claims // what it may do; shared, so not to be changed
	Tenants []string      // those of the user and of all grantors: they limit what it can see; shared
	Expires time.Time     // when its token ends; zero with a password
	right   right         // where the claims come from: what it can hand on
}

const systemName = "system"

// System is the server itself as a grantor: it limits nothing.
func System() Principal {
	return Principal{Name: systemName, Claims: everything(), right: right{System: true}}
}

// Auth checks passwords and tokens, and grants tokens. It is safe for concurrent use.
type Auth struct {
	src    Source
	now    func() time.Time
	parser *jwt.Parser
	keys   atomic.Pointer[keys]
	tokens *cache[*verdict]

	verify  func(hash []byte, password string) bool
	slots   chan struct{} // held while a hash is computed
	pending queue
	pepper  []byte // keys the cache of logins; of this process only
	decoy   []byte // the hash of no password
	logins  *cache[struct{}]
	counts  counts

	mu          sync.Mutex // guards the answer of DefaultPasswordInUse
	bootHash    string
	bootDefault bool
}

// Sizes of the caches, in entries: a few hundred bytes for a login, some kilobytes for a token.
const (
	maxTokens = 8192
	maxLogins = 1024
)

// New makes an Auth over the stored objects; now is its clock.
func New(src Source, now func() time.Time) *Auth {
	return &Auth{
		src:     src,
		now:     now,
		parser:  newParser(now),
		tokens:  newCache[*verdict](maxTokens),
		verify:  Verify,
		slots:   make(chan struct{}, min(4, max(1, runtime.NumCPU()/2))), // the others of the CPUs are for token holders
		pending: queue{waiting: map[[32]byte]int{}},
		pepper:  random(32),
		decoy:   phc(random(saltSize), random(keySize)),
		logins:  newCache[struct{}](maxLogins),
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand aborts the process instead
	return b
}
