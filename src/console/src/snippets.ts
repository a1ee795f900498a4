// A request as a program would send it. The key is never part of it.

import type { Submission } from "./types";

export function asCurl(endpoint: string, submission: Submission): string {
  const body = JSON.stringify(submission, null, 2).replaceAll("'", "'\\''");
  return [
    `curl --fail-with-body -sS '${endpoint}v1alpha2/tasks' \\`,
    `  -H "x-api-key: $API_KEY" -H 'Content-Type: application/json' \\`,
    `  -d '${body}'`,
  ].join("\n");
}

export function asPython(endpoint: string, submission: Submission): string {
  return [
    "import json",
    "import os",
    "import urllib.request",
    "",
    `body = json.loads(${pythonText(JSON.stringify(submission))})`,
    "request = urllib.request.Request(",
    `    ${pythonText(`${endpoint}v1alpha2/tasks`)},`,
    "    data=json.dumps(body).encode(),",
    '    headers={"x-api-key": os.environ["API_KEY"], "Content-Type": "application/json"},',
    ")",
    "with urllib.request.urlopen(request, timeout=30) as answer:",
    "    print(json.load(answer))",
  ].join("\n");
}

/** Python's text literals take the escapes of JSON's. */
function pythonText(text: string): string {
  return JSON.stringify(text);
}
