// `node build.mjs FILE`: the console as one HTML file. Script and style are inside, so that one route serves all of it.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const built = await build({
  entryPoints: ["src/main.tsx"],
  outdir: "out",
  bundle: true,
  write: false,
  minify: true,
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  charset: "utf8",
});

function contents(extension) {
  const file = built.outputFiles.find((one) => one.path.endsWith(extension));
  return file.text.trim();
}

// What ends a script or a style inside HTML must not occur in it.
const script = contents(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
const style = contents(".css").replaceAll("</style", "<\\/style");
const page = readFileSync("index.html", "utf8")
  .replace("/* style */", () => style)
  .replace("/* script */", () => script);
writeFileSync(process.argv[2], page);
