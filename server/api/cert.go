package api

import (
	"encoding/json"
	"net/http"

	"drp/models"
	"drp/server/auth"
)

// certificate is a certificate and its key, both as PEM.
type certificate struct{ Cert, Key []byte }

// getCert shows the key as well, so that only those see it who may replace it.
func (a *API) getCert(p *auth.KeyPair) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require("system", "cert", ""); err != nil {
			return 0, nil, err
		}
		cert, key, err := p.PEM()
		return http.StatusOK, certificate{cert, key}, err
	}
}

func (a *API) setCert(p *auth.KeyPair) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require("system", "cert", ""); err != nil {
			return 0, nil, err
		}
		body, err := r.json()
		if err != nil {
			return 0, nil, err
		}
		var c certificate
		if err := json.Unmarshal(body, &c); err != nil {
			return 0, nil, models.Problem(models.BadRequest, "", "", "the body must have Cert and Key, PEM in base64 each: "+err.Error())
		}
		if err := p.Replace(c.Cert, c.Key); err != nil {
			return 0, nil, err
		}
		a.Log.Info("the certificate was replaced", "who", r.actor.Name, "path", r.Request.URL.Path)
		return http.StatusOK, struct{}{}, nil
	}
}
