package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// ImageDigest is the digest of the image that has a name now. It is fault.NotFound where
// there is none, and errors.ErrUnsupported where the kernel's engine has no digests.
func (c *Client) ImageDigest(ctx context.Context, ref string) (string, error) {
	data, err := c.do(ctx, call{method: http.MethodGet, path: "/images/digest?" + url.Values{"ref": {ref}}.Encode()})
	if err != nil {
		return "", err
	}
	var answer struct {
		Digest string `json:"digest"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", fmt.Errorf("digest of an image: %w", err)
	}
	return answer.Digest, nil
}

// Try runs a program of an image with the token of a dispatch. See runtime.Kernel.Try.
func (c *Client) Try(ctx context.Context, unit, token, image string, argv []string) (code int, err error) {
	body, err := json.Marshal(map[string]any{"unit": unit, "image": image, "argv": argv})
	if err != nil {
		return 0, err
	}
	data, err := c.do(ctx, call{method: http.MethodPost, path: "/images/try", body: body, header: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Code int `json:"code"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return 0, fmt.Errorf("try a program of an image: %w", err)
	}
	return answer.Code, nil
}
