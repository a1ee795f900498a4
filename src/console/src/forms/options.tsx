import type { JSX } from "preact";
import { useShared } from "../context";
import type { Draft } from "./draft";
import { NumberInput, TextInput } from "./fields";

/** What seldom needs a thought. */
export function Options({ draft, change }: { draft: Draft; change: (changed: Partial<Draft>) => void }): JSX.Element {
  const { text } = useShared();
  return (
    <details class="card options">
      <summary>{text.t("options")}</summary>
      <div class="fields">
        <TextInput
          label={text.t("taskId")}
          hint={text.t("taskIdHint")}
          field="task.metadata.id"
          value={draft.id}
          change={(id) => change({ id: id ?? "" })}
        />
        <TextInput
          label={text.t("prefix")}
          hint={text.t("prefixHint")}
          field="task.metadata.prefix"
          value={draft.prefix}
          change={(prefix) => change({ prefix: prefix ?? "" })}
        />
        <TextInput
          label={text.t("labels")}
          hint={text.t("labelsHint")}
          field="options.labels"
          value={draft.labels}
          change={(labels) => change({ labels: labels ?? "" })}
        />
        <NumberInput
          label={text.t("deadlineSeconds")}
          hint={text.t("deadlineHint")}
          field="options.deadline"
          min={1}
          value={draft.deadline ? Number(draft.deadline) : undefined}
          change={(seconds) => change({ deadline: seconds === undefined ? "" : String(seconds) })}
        />
        <TextInput
          label={text.t("webhookUrl")}
          hint={text.t("webhookHint")}
          field="options.webhook.url"
          value={draft.webhook}
          change={(webhook) => change({ webhook: webhook ?? "" })}
        />
      </div>
    </details>
  );
}
