import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { download } from "../components/media";
import { Button } from "../components/ui";
import { useShared } from "../context";
import { go, hrefs } from "../router";
import { hasEnded, type Task } from "../types";

interface ActionsProps {
  task: Task;
  /** Whether it is known what the task was asked for. */
  repeatable: boolean;
  update: (task: Task) => void;
}

export function Actions({ task, repeatable, update }: ActionsProps): JSX.Element {
  const { api, say, text } = useShared();
  const [busy, setBusy] = useState(false);
  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  const cancel = () => attempt(async () => update(await api.cancel(task.id)));
  const save = () =>
    attempt(async () => {
      for (const output of (await api.task(task.id))?.task.outputs ?? []) {
        await download(output); // with new links: the page may be open for hours
      }
    });
  return (
    <div class="buttons">
      {task.outputs.length > 0 && (
        <Button icon="download" disabled={busy} onClick={save}>
          {task.outputs.length > 1 ? text.t("downloadAll", { n: task.outputs.length }) : text.t("download")}
        </Button>
      )}
      {repeatable && (
        <Button icon="again" kind={hasEnded(task) ? "primary" : "plain"} onClick={() => go(hrefs.create(task.id))}>
          {text.t("runAgain")}
        </Button>
      )}
      {!hasEnded(task) && (
        <Button icon="close" kind="danger" disabled={busy || task.cancel_requested !== null} onClick={cancel}>
          {text.t("cancel")}
        </Button>
      )}
    </div>
  );
}
