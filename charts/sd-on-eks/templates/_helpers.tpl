{{/* Every object is named after the release: one release is one runtime. */}}

{{- define "sd.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. The user's come first in the merge, but cannot change what selectors match. */}}
{{- define "sd.labels" -}}
{{- $own := include "sd.selectorLabels" . | fromYaml -}}
{{- $facts := dict
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
-}}
{{- merge $own .Values.runtime.labels $facts | toYaml }}
{{- end }}

{{- define "sd.metadata" -}}
name: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "sd.labels" . | nindent 2 }}
{{- end }}

{{/* The row of runtimes.yaml for this type, with `port` as the user set it. */}}
{{- define "sd.type" -}}
{{- $rows := .Files.Get "runtimes.yaml" | fromYaml -}}
{{- $row := get $rows .Values.runtime.type | required (printf "runtime.type: must be one of %s, got %q" (keys $rows | sortAlpha | join ", ") .Values.runtime.type) -}}
{{- merge (dict "port" (int (.Values.runtime.inferenceApi.port | default $row.port))) $row | toYaml }}
{{- end }}

{{/* "true" unless the type needs no GPU. */}}
{{- define "sd.usesGpu" -}}
{{- ne false .gpu }}
{{- end }}

{{/* Amounts of resources by name, without GPUs for a type that needs none. Takes type and amounts. */}}
{{- define "sd.withoutGpus" -}}
{{- $amounts := .amounts -}}
{{- if ne "true" (include "sd.usesGpu" .type) }}{{ $amounts = omit $amounts "nvidia.com/gpu" }}{{ end -}}
{{- toYaml $amounts }}
{{- end }}

{{- define "sd.runtimeName" -}}
{{ .Values.runtime.name | default .Release.Name }}
{{- end }}

{{/* Seconds that a pod has to end: the longest task, then a minute to interrupt the runtime, hand back and close. */}}
{{- define "sd.gracePeriod" -}}
{{ add .Values.runtime.taskTimeout 60 }}
{{- end }}

{{/* "true" if the agent tells Kubernetes whether its pod is busy. A fixed number of pods has nothing to choose from. */}}
{{- define "sd.tellsCost" -}}
{{- and .Values.runtime.scaling.enabled .Values.runtime.scaling.idlePodsFirst }}
{{- end }}

{{/* Image reference. Takes root, path (of the value, for the error), image, and the repository and tag to fall back to. */}}
{{- define "sd.image" -}}
{{- $repository := .image.repository | default .repository -}}
{{- $first := splitList "/" $repository | first -}}
{{- $hasHost := and (contains "/" $repository) (or (contains "." $first) (contains ":" $first) (eq "localhost" $first)) -}}
{{- if not $hasHost -}}
  {{- $registry := .root.Values.global.imageRegistry | required (printf "%s.repository: %q names no registry; write its host before it, or set global.imageRegistry" .path $repository) -}}
  {{- $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository -}}
{{- end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ .image.tag | default .tag }}
{{- end -}}
{{- end }}

{{/* A number or word of the values as text: Go writes large floats with an exponent. */}}
{{- define "sd.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* Environment: own (a list), then extra (a list or a map of names and values), which wins. No name comes twice. */}}
{{- define "sd.env" -}}
{{- $extra := .extra | default list -}}
{{- if kindIs "map" .extra -}}
  {{- $extra = list -}}
  {{- range $name := keys .extra | sortAlpha -}}
    {{- $extra = append $extra (dict "name" $name "value" (include "sd.text" (get $.extra $name))) -}}
  {{- end -}}
{{- end -}}
{{- $names := list -}}
{{- $entries := dict -}}
{{- range concat .own $extra -}}
  {{- $names = append $names .name | uniq -}}
  {{- $_ := set $entries .name . -}}
{{- end -}}
{{- $env := list -}}
{{- range $names }}{{ $env = append $env (get $entries .) }}{{ end -}}
{{- toYaml $env }}
{{- end }}

{{/* The runtime's arguments as a JSON list: the type's own, then the user's. */}}
{{- define "sd.arguments" -}}
{{- $own := tpl (.type.arguments | default "") (merge (dict "port" .type.port) .root) -}}
{{- $user := .root.Values.runtime.inferenceApi.commandArguments -}}
{{- if kindIs "string" $user }}{{ $user = regexSplit "\\s+" (trim $user) -1 }}{{ end -}}
{{- concat (regexSplit "\\s+" $own -1) $user | compact | toJson }}
{{- end }}
