// What happens while one looks: incidents and boundaries as the server tells of them.

const AGAIN_MS = 3000;

/**
 * Listen as long as the page is seen; onEvent({type, data}), onState(isConnected).
 *
 * @param {(event: {type: string, data: any}) => void} onEvent
 * @param {(isConnected: boolean) => void} onState
 */
export function listenLive(onEvent, onState) {
  /** @type {EventSource | null} */
  let source = null;
  /** @type {number | undefined} */
  let timer;

  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  const open = () => {
    close();
    source = new EventSource("/api/live");
    source.onopen = () => onState(true);
    source.onerror = () => {
      onState(false);
      // The browser tries again by itself unless the server refused; then we do.
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN_MS);
    };
    for (const type of ["incident", "version", "plan"]) {
      source.addEventListener(type, (event) => onEvent({ type, data: JSON.parse(event.data) }));
    }
  };

  const follow = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", close);
  follow();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}
