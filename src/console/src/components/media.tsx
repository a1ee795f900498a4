import type { JSX } from "preact";
import { useShared } from "../context";
import { bytes } from "../format";
import type { Output } from "../types";
import { Icon } from "./icons";

export type MediaKind = "image" | "video" | "audio" | "file";

export function kindOf(output: Output): MediaKind {
  const [kind] = output.type.split("/");
  return kind === "image" || kind === "video" || kind === "audio" ? kind : "file";
}

export function nameOf(output: Output): string {
  return output.s3.slice(output.s3.lastIndexOf("/") + 1);
}

/** An output as large as its place allows. */
export function Media({ output, alt }: { output: Output; alt: string }): JSX.Element {
  const { text } = useShared();
  const kind = kindOf(output);
  if (!output.url || kind === "file") {
    return (
      <div class="media-file">
        <Icon name="file" size={40} />
        <span>{nameOf(output)}</span>
        <span class="muted">
          {output.type} · {bytes(output.bytes)}
        </span>
      </div>
    );
  }
  if (kind === "image") {
    return <img src={output.url} alt={alt} decoding="async" />;
  }
  const label = `${text.t("output", { n: output.n })}: ${alt}`;
  return kind === "video" ? (
    <video src={output.url} controls loop playsInline aria-label={label} />
  ) : (
    <audio src={output.url} controls aria-label={label} />
  );
}

/** An output as a tile of the gallery, whose words are next to it. */
export function Thumbnail({ output }: { output: Output }): JSX.Element {
  const kind = kindOf(output);
  if (output.url && kind === "image") {
    return <img src={output.url} alt="" loading="lazy" decoding="async" />;
  }
  if (output.url && kind === "video") {
    return (
      <>
        <video src={output.url} muted preload="metadata" aria-hidden="true" tabIndex={-1} />
        <span class="tile-mark">
          <Icon name="play" size={22} />
        </span>
      </>
    );
  }
  return (
    <span class="tile-icon">
      <Icon name={kind === "audio" ? "sound" : "file"} size={36} />
      <span class="muted">{output.type}</span>
    </span>
  );
}

/** Save an output under its own name. A link to another origin would open it in place of the page. */
export async function download(output: Output): Promise<void> {
  if (!output.url) {
    return;
  }
  const response = await fetch(output.url, { cache: "no-store" }); // what an <img> left in the cache has no CORS headers
  if (!response.ok) {
    throw new Error(`S3 answered ${response.status}`);
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = nameOf(output);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
