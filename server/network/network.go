// Package network keeps subnets, reservations and leases in step with each other, and tells of the
// network interfaces of the host.
package network

import (
	"fmt"
	"slices"
	"time"

	"drp/models"
	"drp/server/objects"
)

// Register adds the Rules of subnets, reservations and leases.
func Register(s *objects.Service) {
	s.AddRule("subnets", subnet)
	s.AddRule("reservations", reservation)
	s.AddRule("leases", lease)
}

// subnet is the Rule of subnets: their range and strategy stay as they are, no two have an address
// in common, and what is scoped to one holds it. The reservations in its range learn that it has
// come, or gone.
func subnet(tx *objects.Tx, c *objects.Change) error {
	s := c.Object().(*models.Subnet)
	switch {
	case c.New == nil:
		if lines := scopedIn(tx, s); len(lines) > 0 {
			return models.Problem(models.Conflict, s.Kind(), s.Key(), lines...).Typed("StillInUseError")
		}
	case c.Old != nil:
		return unchanged(c.Old.(*models.Subnet), s)
	default:
		if lines := overlaps(tx, s); len(lines) > 0 {
			return refuse(s, lines...)
		}
	}
	return recheckIn(tx, s)
}

func unchanged(old, s *models.Subnet) error {
	var bad []string
	was, _ := old.Network()
	if is, _ := s.Network(); is != was {
		bad = append(bad, "Subnet range cannot change")
	}
	if s.Strategy != old.Strategy {
		bad = append(bad, "Strategy cannot change")
	}
	if len(bad) > 0 {
		return refuse(s, bad...)
	}
	return nil
}

func overlaps(r objects.Reader, s *models.Subnet) (lines []string) {
	mine, _ := s.Network()
	for other := range objects.All[*models.Subnet](r) {
		if theirs, ok := other.Network(); ok && other.Name != s.Name && theirs.Overlaps(mine) {
			lines = append(lines, fmt.Sprintf("Subnet range %s overlaps %s of subnet %s", mine, theirs, other.Name))
		}
	}
	return lines
}

func scopedIn(r objects.Reader, s *models.Subnet) (lines []string) {
	for res := range objects.All[*models.Reservation](r) {
		if res.Scoped && s.Contains(res.Addr) {
			lines = append(lines, fmt.Sprintf("Reservation %s is scoped for Subnet %s, cannot delete.", res.Addr, s.Name))
		}
	}
	return lines
}

func recheckIn(tx *objects.Tx, s *models.Subnet) error {
	var keys []string
	for r := range objects.All[*models.Reservation](tx) {
		if s.Contains(r.Addr) {
			keys = append(keys, r.Key())
		}
	}
	for _, key := range keys {
		if err := tx.Recheck("reservations", key); err != nil {
			return err
		}
	}
	return nil
}

// subnetOf is the subnet that an address lies in; nil: none.
func subnetOf(r objects.Reader, addr string) *models.Subnet {
	for s := range objects.All[*models.Subnet](r) {
		if s.Contains(addr) {
			return s
		}
	}
	return nil
}

// special says that an address stands for a network or for all its hosts; "" if it does not.
func special(s *models.Subnet, addr string) string {
	if s == nil || !s.Special(addr) {
		return ""
	}
	return fmt.Sprintf("Address %s is a network or broadcast address for subnet %s", addr, s.Name)
}

// reservation is the Rule of reservations: it sets the subnet they lie in, which those that are
// scoped need, and sees that no host has two where they hold. One whose address turns out to be
// none for a host when its subnet comes is not available.
func reservation(tx *objects.Tx, c *objects.Change) error {
	r, ok := c.New.(*models.Reservation)
	if !ok {
		return nil
	}
	s := subnetOf(tx, r.Addr)
	r.Subnet = ""
	if s != nil {
		r.Subnet = s.Name
	}
	if r.Scoped && s == nil {
		return refuse(r, fmt.Sprintf("Address %s is not in a defined Subnet, and Scoped is true.", r.Addr))
	}
	if line := special(s, r.Addr); line != "" {
		if c.Old == nil {
			return refuse(r, line)
		}
		b := r.Base()
		b.Available, b.Errors = false, append(b.Errors, r.Key()+": "+line)
	}
	if line := taken(tx, r); line != "" {
		return refuse(r, line)
	}
	return nil
}

// taken names another reservation for the same host; "" if there is none. One that is not scoped
// holds in every subnet, and so beside no other.
func taken(r objects.Reader, mine *models.Reservation) string {
	for other := range objects.All[*models.Reservation](r) {
		switch {
		case other.Key() == mine.Key(), other.Token != mine.Token, other.Strategy != mine.Strategy:
		case !other.Scoped:
			return fmt.Sprintf("Unscoped reservation %s already has Strategy %s: Token %s", other.Key(), mine.Strategy, mine.Token)
		case !mine.Scoped, other.Subnet == mine.Subnet:
			return fmt.Sprintf("Reservation %s in subnet %s already has Strategy %s: Token %s", other.Key(), other.Subnet, mine.Strategy, mine.Token)
		}
	}
	return ""
}

// lease is the Rule of leases: none is given for an address that is no host's, and one that is said
// to have expired has.
func lease(tx *objects.Tx, c *objects.Change) error {
	l, ok := c.New.(*models.Lease)
	if !ok {
		return nil
	}
	if line := special(subnetOf(tx, l.Addr), l.Addr); line != "" && c.Old == nil {
		return refuse(l, line)
	}
	if l.State == models.LeaseExpired && l.ExpireTime.After(tx.Now) {
		return refuse(l, fmt.Sprintf("State is %s, but ExpireTime %s is still to come", l.State, l.ExpireTime.Format(time.RFC3339)))
	}
	return nil
}

// refuse is the ValidationError of an object; each line names it.
func refuse(o models.Object, lines ...string) error {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i] = o.Key() + ": " + lines[i]
	}
	return models.Invalidf(o, lines...)
}
