package mention

// others is where an agent has its workspaces but the first, each by its id.
const others = "/workspaces/"

// Dir is where an agent has a workspace, for Place and Unplace: nth, from 0, of those that it
// is given. The first is the one that it works in, which is an empty text.
func Dir(nth int, id string) string {
	if nth == 0 {
		return ""
	}
	return others + id
}
