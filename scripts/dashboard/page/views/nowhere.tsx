import { Page } from "../parts/page.tsx";
import { linkTo } from "../router.ts";

/** For an address that leads nowhere. */
export function Nowhere() {
  return (
    <Page title="No such page">
      <p class="empty">
        This address leads nowhere. It may have been cut off.{" "}
        <a href={linkTo([])}>Go to the overview</a>
      </p>
    </Page>
  );
}
