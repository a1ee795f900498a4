import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Api, endpointOf } from "./api";
import { Toast } from "./components/toast";
import { type Shared, SharedContext } from "./context";
import { forgetHistory, observe } from "./history";
import { usePolling } from "./hooks";
import { keep } from "./list";
import { type Route, useRoute } from "./router";
import { session, settings, type Theme } from "./session";
import { type Language, textOf } from "./text";
import { TopBar } from "./topbar";
import type { Runtime } from "./types";
import { Gallery } from "./views/gallery";
import { NewTask } from "./views/new";
import { Runtimes } from "./views/runtimes";
import { SignIn } from "./views/signin";
import { TaskPage } from "./views/task";

const RUNTIMES_MS = 5000;
const SAY_MS = 4000;

export function App(): JSX.Element {
  const [key, setKey] = useState(session.key());
  const [refused, setRefused] = useState(false);
  const [language, setLanguage] = useState<Language>(settings.language());
  const [theme, setTheme] = useState<Theme>(settings.theme());
  const [message, say] = useMessage();
  const leave = useCallback((wrong: boolean) => {
    session.clear();
    keep(null);
    forgetHistory();
    setRefused(wrong);
    setKey(null);
  }, []);
  const api = useMemo(() => new Api(endpointOf(location), key ?? "", () => leave(true)), [key, leave]);
  const text = useMemo(() => textOf(language), [language]);
  const runtimes = useRuntimes(api, key !== null);
  const shared = useMemo<Shared>(() => ({ api, text, runtimes, say }), [api, text, runtimes, say]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    document.title = text.t("title");
    settings.setLanguage(language);
  }, [language, text]);
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme;
    settings.setTheme(theme);
  }, [theme]);
  const enter = (entered: string) => {
    session.setKey(entered);
    setKey(entered);
  };
  return (
    <SharedContext.Provider value={shared}>
      <TopBar
        signedIn={key !== null}
        language={{ value: language, set: setLanguage }}
        theme={{ value: theme, set: setTheme }}
        leave={() => leave(false)}
      />
      {key === null ? <SignIn refused={refused} enter={enter} /> : <Views />}
      <Toast message={message} />
    </SharedContext.Provider>
  );
}

function Views(): JSX.Element {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = route.view === "task" ? route.id : route.view;
  const first = useRef(place);
  useEffect(() => {
    if (first.current !== place) {
      first.current = "";
      main.current?.focus({ preventScroll: true }); // so that a screen reader says that the view is another one
      if (route.view !== "gallery") {
        scrollTo(0, 0);
      }
    }
  }, [place, route.view]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      {viewOf(route)}
    </main>
  );
}

function viewOf(route: Route): JSX.Element {
  switch (route.view) {
    case "task":
      return <TaskPage key={route.id} id={route.id} />;
    case "new":
      return <NewTask key={route.query.toString()} from={route.query.get("from")} />;
    case "runtimes":
      return <Runtimes />;
    default:
      return <Gallery query={route.query} />;
  }
}

function useRuntimes(api: Api, signedIn: boolean): Runtime[] | null {
  const [runtimes, setRuntimes] = useState<Runtime[] | null>(null);
  usePolling(
    async (signal) => {
      if (signedIn) {
        const found = await api.runtimes(signal);
        observe(found);
        setRuntimes(found);
      }
    },
    RUNTIMES_MS,
    [api, signedIn],
  );
  return runtimes;
}

function useMessage(): [string | null, (message: string) => void] {
  const [message, setMessage] = useState<string | null>(null);
  const timer = useRef(0);
  const say = useCallback((said: string) => {
    clearTimeout(timer.current);
    setMessage(said);
    timer.current = setTimeout(() => setMessage(null), SAY_MS);
  }, []);
  return [message, say];
}
