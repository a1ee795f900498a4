{{/* The runtime: custom nodes are untrusted code, so it gets no credentials, no token, and the models read-only. */}}

{{- define "sd.runtimeContainer" -}}
{{- $type := include "sd.type" . | fromYaml -}}
{{- $api := .Values.runtime.inferenceApi -}}
{{- $arguments := include "sd.arguments" (dict "root" . "type" $type) | fromJsonArray -}}
name: runtime
image: {{ include "sd.runtimeImage" . }}
imagePullPolicy: {{ $api.imagePullPolicy }}
# A native sidecar: it is up before the agent starts, is restarted when it dies, and stops after the agent.
restartPolicy: Always
{{- with $api.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $api.args }}
args:
  {{- toYaml $api.args | nindent 2 }}
{{- else if $type.program }}
args:
  {{- prepend $arguments $type.program | toYaml | nindent 2 }}
{{- end }}
env:
  {{- include "sd.runtimeEnv" (dict "root" . "type" $type "arguments" $arguments) | nindent 2 }}
ports:
- name: api
  containerPort: {{ $type.port }}
startupProbe:
  httpGet:
    path: {{ $type.readyPath }}
    port: api
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: {{ $api.startupTimeout }}
  terminationGracePeriodSeconds: 30
# The agent knows whether a silent runtime is busy (a long sampling, a model switch) or hung; asked itself, a busy one
# would be restarted in the middle of a task. The agent starts after the startup probe: until it answers, and while it is
# restarted, there are two minutes.
livenessProbe:
  httpGet:
    path: /runtime
    port: 8090
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 12
  terminationGracePeriodSeconds: 30
{{- with $api.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- include "sd.runtimeResources" (dict "type" $type "resources" $api.resources) | nindent 2 }}
volumeMounts:
- name: models
  mountPath: {{ $api.modelMountPath }}
  readOnly: {{ .Values.runtime.persistence.enabled }}
{{- with $type.settings }}
- name: settings
  mountPath: {{ dir .file }}
{{- end }}
{{- end }}

{{/* Requests and limits, without GPUs for a type that needs none. */}}
{{- define "sd.runtimeResources" -}}
{{- $kept := dict -}}
{{- range $kind, $amounts := .resources -}}
  {{- $_ := set $kept $kind (include "sd.withoutGpus" (dict "type" $.type "amounts" $amounts) | fromYaml) -}}
{{- end -}}
{{- toYaml $kept }}
{{- end }}

{{- define "sd.runtimeImage" -}}
{{- include "sd.image" (dict "root" . "path" "runtime.inferenceApi.image" "image" .Values.runtime.inferenceApi.image "repository" (printf "sd-on-eks/%s" .Values.runtime.type) "tag" "latest") }}
{{- end }}

{{- define "sd.runtimeEnv" -}}
{{- $root := .root -}}
{{- $port := .type.port -}}
{{- $own := list (dict "name" "EXTRA_CMD_ARG" "value" (join " " .arguments)) -}}
{{- range $name, $value := .type.env -}}
  {{- $own = append $own (dict "name" $name "value" (tpl $value (merge (dict "port" $port) $root))) -}}
{{- end -}}
{{- include "sd.env" (dict "own" $own "extra" .root.Values.runtime.inferenceApi.extraEnv) }}
{{- end }}

{{/* The runtime writes its settings when they are changed through its API, which a ConfigMap does not allow. It runs
     with the runtime's image, so that the copy belongs to the runtime's user. */}}
{{- define "sd.settingsContainer" -}}
{{- $type := include "sd.type" . | fromYaml -}}
name: settings
image: {{ include "sd.runtimeImage" . }}
imagePullPolicy: {{ .Values.runtime.inferenceApi.imagePullPolicy }}
command: [cp, /chart/{{ base $type.settings.file }}, {{ $type.settings.file }}]
{{- with .Values.runtime.inferenceApi.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  requests:
    cpu: 50m
    memory: 32Mi
  limits:
    memory: 256Mi
    ephemeral-storage: 1Gi
volumeMounts:
- name: chart
  mountPath: /chart
  readOnly: true
- name: settings
  mountPath: {{ dir $type.settings.file }}
{{- end }}
