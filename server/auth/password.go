package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"drp/models"
)

// loginTTL is how long a password that was right needs not be hashed again.
const loginTTL = time.Minute

// maxPending is how many different passwords may wait to be checked. All of them together wait
// some seconds.
const maxPending = 256

// Remembered is Password for one that was right less than loginTTL ago: it costs nothing. ok is
// false for any other, right or wrong.
func (a *Auth) Remembered(user, password string) (p Principal, ok bool, err error) {
	if p, ok, err = a.remembered(user, password); ok {
		a.counts.login(err)
	}
	return p, ok, err
}

func (a *Auth) remembered(user, password string) (p Principal, ok bool, err error) {
	u, known := a.src.User(user)
	if !known {
		return p, false, nil
	}
	if !a.knows(a.loginID(u.PasswordHash, password)) {
		return p, false, nil
	}
	p, err = a.login(u)
	return p, true, err
}

// Password tells who logs in with a name and a password. A wrong password, a user that is not
// there and one who may not log in fail alike: Unauthorized, after the same work. Few
// passwords are checked at a time, which bounds the memory that takes; who waits gives up with
// ctx, and when very many wait nobody is let in line any more: both are Busy.
func (a *Auth) Password(ctx context.Context, user, password string) (Principal, error) {
	who, err := a.password(ctx, user, password)
	a.counts.login(err)
	return who, err
}

func (a *Auth) password(ctx context.Context, user, password string) (Principal, error) {
	if p, ok, err := a.remembered(user, password); ok {
		return p, err
	}
	u, ok := a.src.User(user)
	if !ok {
		u = &models.User{}
	}
	id := a.loginID(u.PasswordHash, password)
	matches, err := a.check(ctx, u.PasswordHash, id, password)
	if err != nil {
		return Principal{}, fmt.Errorf("log in: %w", err)
	}
	if !matches || len(u.PasswordHash) == 0 {
		return Principal{}, models.Problem(models.Unauthorized, "", "", "Wrong user name or password").Typed("AUTH")
	}
	a.remember(id)
	return a.login(u)
}

// remember notes that a hash is that of a password.
func (a *Auth) remember(id [32]byte) { a.logins.put(id, struct{}{}, a.now().Add(loginTTL), a.now()) }

func (a *Auth) knows(id [32]byte) bool {
	_, ok := a.logins.get(id, a.now())
	return ok
}

// check verifies a password when it is its turn. Of many that wait with the same password the
// first to succeed answers for all.
func (a *Auth) check(ctx context.Context, hash []byte, id [32]byte, password string) (bool, error) {
	if !a.pending.enter(id) {
		return false, errTooManyLogins()
	}
	defer a.pending.leave(id)
	if err := a.slot(ctx); err != nil {
		return false, err
	}
	defer func() { <-a.slots }()
	if a.knows(id) {
		return true, nil
	}
	if len(hash) == 0 {
		hash = a.decoy
	}
	return a.verify(hash, password), nil
}

// slot waits for a turn to compute a hash; who got one gives it back by receiving from a.slots.
func (a *Auth) slot(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errTooManyLogins()
	}
}

func errTooManyLogins() error {
	return models.Errorf(models.Busy, nil, "Too many logins at once; try again, or use a token: it needs no turn")
}

// Hash is the function Hash, when it is its turn: the memory it takes is bounded too. Who logs in
// with the password less than loginTTL later has it checked at no cost.
func (a *Auth) Hash(ctx context.Context, password string) ([]byte, error) {
	if err := a.slot(ctx); err != nil {
		return nil, err
	}
	defer func() { <-a.slots }()
	hash, err := Hash(password)
	if err == nil {
		a.remember(a.loginID(hash, password))
	}
	return hash, err
}

// queue is the logins that wait. Many with the same password are one: the first that succeeds
// answers for all.
type queue struct {
	mu      sync.Mutex
	waiting map[[32]byte]int
}

func (q *queue) enter(id [32]byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= maxPending && q.waiting[id] == 0 {
		return false
	}
	q.waiting[id]++
	return true
}

func (q *queue) leave(id [32]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[id]--; q.waiting[id] == 0 {
		delete(q.waiting, id)
	}
}

// loginID names a hash and a password, so that what was found out about one hash says nothing
// about the next.
func (a *Auth) loginID(hash []byte, password string) (id [32]byte) {
	h := hmac.New(sha256.New, a.pepper)
	for _, part := range [][]byte{hash, []byte(password)} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(id[:0])
	return id
}

func (a *Auth) login(u *models.User) (Principal, error) {
	k, err := a.current()
	if err != nil {
		return Principal{}, err
	}
	name := "user:" + u.Name
	who, _, err := a.resolve(k, name, right{Limits: []limit{k.bind(name, u.Secret)}})
	if err != nil {
		return Principal{}, refusal(err) // removed, or its secret changed, since we looked
	}
	return who, nil
}

// DefaultPasswordInUse tells whether the bootstrap user still has the password that everybody
// knows. It costs the check of a password at most, once for each password that the user gets.
func (a *Auth) DefaultPasswordInUse() bool {
	u, ok := a.src.User(BootstrapUser)
	if !ok || len(u.PasswordHash) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if hash := string(u.PasswordHash); hash != a.bootHash {
		id := a.loginID(u.PasswordHash, DefaultPassword)
		a.bootHash, a.bootDefault = hash, a.knows(id) || a.verify(u.PasswordHash, DefaultPassword)
		if a.bootDefault {
			a.remember(id)
		}
	}
	return a.bootDefault
}
