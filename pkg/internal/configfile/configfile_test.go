package configfile_test

import (
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/internal/configfile"
)

// What is wrong with a file is told to the person who wrote it, in words that do not
// name the code.
func TestDecodeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"on":"perhaps"}`:        "on is a text, and true or false is wanted",
		`{"on":1}`:                "on is a number, and true or false is wanted",
		`{"days":1.5}`:            "days is 1.5, and a whole number is wanted",
		`{"days":true}`:           "days is true or false, and a whole number is wanted",
		`{"of":{"names":{}}}`:     "of.names is an object, and a list is wanted",
		`{"of":[]}`:               "of is a list, and an object is wanted",
		`[]`:                      "it is a list, and an object is wanted",
		`{"offf":1}`:              `there is no member "offf"`,
		``:                        "it is no JSON: it ends too soon",
		`{"on":`:                  "it is no JSON: it ends too soon",
		`{"on":maybe}`:            "it is no JSON: invalid character 'm' looking for beginning of value",
		`{"on":true}{}`:           "there is something after its end",
		`{"on":true,"days":1} \n`: "",
	} {
		var v struct {
			On   bool `json:"on"`
			Days int  `json:"days"`
			Of   struct {
				Names []string `json:"names"`
			} `json:"of"`
		}
		data = strings.ReplaceAll(data, `\n`, "\n")
		err := configfile.Decode([]byte(data), &v)
		if got := errorText(err); got != want {
			t.Errorf("%s: %s", data, got)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
