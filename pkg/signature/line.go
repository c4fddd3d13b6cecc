package signature

import (
	"bytes"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// SignLine returns a line, given without its end, with its end and the signature
// over both, as `ssh-keygen -Y sign` prints it.
func SignLine(s Signer, namespace string, line []byte) ([]byte, error) {
	text := append(bytes.Clone(line), '\n')
	sig, err := s.Sign(namespace, text)
	if err != nil {
		return nil, err
	}
	return append(text, sig...), nil
}

// OpenLine reads what SignLine made: the line without its end, and the key that
// signed it. Whether that key may is another question. The error is fault.Invalid
// where the text is of another form, and fault.Denied where the signature is not
// good.
func OpenLine(namespace string, text []byte) (line []byte, by Key, err error) {
	line, sig, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return nil, Key{}, fault.New(fault.Invalid, "it has no signature", "")
	}
	if !oneSignature(sig) {
		return nil, Key{}, fault.New(fault.Invalid, "something surrounds its signature", "")
	}
	if by, err = KeyOf(sig); err != nil {
		return nil, Key{}, err
	}
	return line, by, by.Verify(namespace, text[:len(line)+1], sig)
}

// oneSignature reports whether text is one armoured signature and nothing else.
func oneSignature(text []byte) bool {
	begin, end := []byte("-----BEGIN "), []byte("\n-----END SSH SIGNATURE-----\n")
	return bytes.HasPrefix(text, begin) && bytes.Count(text, begin) == 1 && bytes.HasSuffix(text, end) && bytes.Count(text, end) == 1
}
