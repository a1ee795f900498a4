import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { Icon } from "../components/icons";
import { useShared } from "../context";
import { useProblem } from "./problems";

interface DropZoneProps {
  label: string;
  accept: string;
  /** Called with each file that is dropped or chosen. */
  take: (file: File) => Promise<void>;
  hint: string;
  preview?: string | null;
}

/** A place for a file: to drop it, or to choose it. */
export function DropZone({ label, accept, take, hint, preview }: DropZoneProps): JSX.Element {
  const { text } = useShared();
  const id = useId();
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const taken = async (file: File | undefined) => {
    if (!file) {
      return;
    }
    setBusy(true);
    setProblem(null);
    await take(file).catch((error) => setProblem(error instanceof Error ? error.message : String(error)));
    setBusy(false);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void taken(event.dataTransfer?.files[0]);
  };
  const drag = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  return (
    <div class="field wide">
      <label
        class={`drop ${over ? "over" : ""} ${preview ? "filled" : ""}`}
        for={id}
        onDragOver={drag}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {preview ? <img src={preview} alt="" /> : <Icon name="upload" size={28} />}
        <span>
          <strong>{label}</strong>
          <span class="muted">{text.t(busy ? "uploading" : "dropHint")}</span>
          <span class="muted">{hint}</span>
        </span>
        <input
          id={id}
          class="visually-hidden"
          type="file"
          accept={accept}
          disabled={busy}
          onChange={(event) => {
            const input = event.currentTarget;
            void taken(input.files?.[0]).then(() => {
              input.value = ""; // so that the same file can be chosen again
            });
          }}
        />
      </label>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

interface ImageInputProps {
  label: string;
  value: string;
  change: (value: string) => void;
  field: string;
}

/** An image as a file, which is uploaded, or as a link. */
export function ImageInput({ label, value, change, field }: ImageInputProps): JSX.Element {
  const { api, text } = useShared();
  const id = useId();
  const problem = useProblem(field);
  const [own, setOwn] = useState<{ link: string; preview: string } | null>(null);
  useEffect(() => () => own && URL.revokeObjectURL(own.preview), [own]);
  const take = async (file: File) => {
    const link = await api.upload(file);
    setOwn({ link, preview: URL.createObjectURL(file) });
    change(link);
  };
  return (
    <>
      <DropZone
        label={label}
        accept="image/*"
        take={take}
        hint={text.t("imageHint")}
        preview={own?.link === value ? own.preview : null}
      />
      <div class="field wide">
        <label for={id}>{text.t("imageLink")}</label>
        <input
          id={id}
          type="text"
          value={value}
          placeholder="s3://… / https://…"
          aria-invalid={problem ? "true" : undefined}
          onInput={(event) => change(event.currentTarget.value)}
        />
        {problem && <p class="problem">{problem}</p>}
      </div>
    </>
  );
}
