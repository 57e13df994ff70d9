package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// socket is the client's end of a websocket (RFC 6455) on a lean connection. It reads text
// messages that come in one frame, answers pings, and masks what it sends with zeros.
type socket struct{ c *lean }

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// openSocket opens a websocket and registers filters; it returns when the server has acknowledged
// them. It takes the connection over.
func openSocket(c *lean, path string, filters ...string) (*socket, error) {
	s := &socket{c}
	a, err := c.do("GET", path, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: ZHJwLWJlbmNoIGRycC1iZQ==\r\n", nil)
	if err != nil {
		return nil, err
	}
	if a.status != 101 {
		return nil, unexpected("GET", path, a)
	}
	for _, filter := range filters {
		if err := s.write(opText, []byte("register "+filter)); err != nil {
			return nil, err
		}
		if err := s.expect([]byte(`"Type":"websocket"`)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *socket) close() { s.c.close() }

// expect reads the next message, which must contain a text.
func (s *socket) expect(text []byte) error {
	if err := s.c.allow(time.Minute); err != nil {
		return err
	}
	message, err := s.read()
	if err == nil && !bytes.Contains(message, text) {
		err = fmt.Errorf("websocket: got %.300q; want %s in it", message, text)
	}
	return err
}

// read is the next message; it is good until the next read.
func (s *socket) read() ([]byte, error) {
	for {
		op, payload, err := s.frame()
		if err != nil {
			return nil, err
		}
		switch op {
		case opText:
			return payload, nil
		case opPing:
			if err := s.write(opPong, payload); err != nil {
				return nil, err
			}
		case opPong:
		case opClose:
			return nil, fmt.Errorf("websocket: closed by the server: %q", payload)
		default:
			return nil, fmt.Errorf("websocket: unexpected frame of type %d", op)
		}
	}
}

func (s *socket) frame() (op byte, payload []byte, err error) {
	head, err := s.c.bytes(2)
	if err != nil {
		return 0, nil, err
	}
	op = head[0] & 0x0f
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, errors.New("websocket: a frame that is masked, compressed or in parts")
	}
	n := int(head[1])
	if n == 126 {
		if head, err = s.c.bytes(2); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head))
	} else if n == 127 {
		if head, err = s.c.bytes(8); err != nil {
			return 0, nil, err
		}
		if n = int(binary.BigEndian.Uint64(head)); n < 0 || n > 1<<30 {
			return 0, nil, errors.New("websocket: a frame over 1 GiB")
		}
	}
	payload, err = s.c.bytes(n)
	return op, payload, err
}

// write sends a message of at most 125 bytes.
func (s *socket) write(op byte, payload []byte) error {
	if len(payload) > 125 {
		return fmt.Errorf("websocket: %d bytes are too many", len(payload))
	}
	b := append(s.c.out[:0], 0x80|op, 0x80|byte(len(payload)), 0, 0, 0, 0)
	s.c.out = append(b, payload...)
	_, err := s.c.conn.Write(s.c.out)
	return err
}
