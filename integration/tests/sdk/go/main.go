// A caller as a Go program without any SDK writes it: net/http, with the header form and with the path form.
//
// Prints what it saw as one JSON object a line. Environment: DAPR_HTTP_PORT.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

var base = "http://127.0.0.1:" + os.Getenv("DAPR_HTTP_PORT")

type answer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

func say(step string, value any) {
	line, err := json.Marshal(map[string]any{"step": step, "value": value})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// outcome sends a request and gives the answer, or how it failed.
func outcome(method, target, app string, body io.Reader) map[string]any {
	request, err := http.NewRequest(method, base+target, body)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	if app != "" {
		request.Header.Set("dapr-app-id", app)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"value": answer{response.StatusCode, string(text)}}
}

func main() {
	say("header get", outcome("GET", "/stock?x=%20y", "warehouse", nil))
	say("header post", outcome("POST", "/orders/echo", "warehouse", strings.NewReader(`{"n":1}`)))
	// A reader of unknown length goes out chunked.
	say("streamed", outcome("POST", "/v1.0/invoke/warehouse/method/orders/echo", "", io.MultiReader(strings.NewReader("one "), strings.NewReader("two"))))
	say("path get", outcome("GET", "/v1.0/invoke/warehouse/method/stock", "", nil))
	say("own error", outcome("GET", "/broken", "warehouse", nil))
	say("header nobody", outcome("GET", "/stock", "nobody", nil))
	say("done", true)
}
