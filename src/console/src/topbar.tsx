import type { JSX } from "preact";
import { Icon, type IconName } from "./components/icons";
import { Mark } from "./components/mark";
import { IconButton } from "./components/ui";
import { useShared } from "./context";
import { hrefs, useRoute } from "./router";
import type { Theme } from "./session";
import type { Language, Word } from "./text";

interface Choice<Value> {
  value: Value;
  set: (value: Value) => void;
}

interface TopBarProps {
  signedIn: boolean;
  language: Choice<Language>;
  theme: Choice<Theme>;
  leave: () => void;
}

const PLACES: { view: string; href: string; icon: IconName; word: Word }[] = [
  { view: "gallery", href: hrefs.gallery(), icon: "gallery", word: "gallery" },
  { view: "new", href: hrefs.create(), icon: "plus", word: "newTask" },
  { view: "runtimes", href: hrefs.runtimes(), icon: "runtimes", word: "runtimes" },
];

const THEMES: Record<Theme, { next: Theme; icon: IconName }> = {
  auto: { next: "light", icon: "auto" },
  light: { next: "dark", icon: "sun" },
  dark: { next: "auto", icon: "moon" },
};

export function TopBar({ signedIn, language, theme, leave }: TopBarProps): JSX.Element {
  const { text } = useShared();
  const route = useRoute();
  const other = language.value === "en" ? "zh" : "en";
  return (
    <header class="top">
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        {text.t("skip")}
      </button>
      <div class="top-row">
        <a class="brand" href={hrefs.gallery()}>
          <Mark size={26} />
          <span>{text.t("title")}</span>
        </a>
        {signedIn && (
          <nav aria-label={text.t("views")}>
            {PLACES.map((place) => (
              <a key={place.view} href={place.href} aria-current={route.view === place.view ? "page" : undefined}>
                <Icon name={place.icon} />
                <span>{text.t(place.word)}</span>
              </a>
            ))}
          </nav>
        )}
        <div class="top-tools">
          <button
            type="button"
            class="icon-button language"
            lang={other === "zh" ? "zh-CN" : "en"}
            onClick={() => language.set(other)}
          >
            {other === "zh" ? "中文" : "EN"}
            <span class="visually-hidden">{other === "zh" ? "切换到中文" : "Switch to English"}</span>
          </button>
          <IconButton
            icon={THEMES[theme.value].icon}
            label={`${text.t("theme")}: ${text.named("theme.", theme.value)}`}
            onClick={() => theme.set(THEMES[theme.value].next)}
          />
          {signedIn && <IconButton icon="exit" label={text.t("leave")} onClick={leave} />}
        </div>
      </div>
    </header>
  );
}
