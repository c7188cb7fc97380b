/**
 * The reason of aborts that nobody asks about. An abort without a reason makes an error each time, and
 * its stack alone takes longer than all that the loop does for an item.
 */
export const ABORTED = new DOMException("The signal has been aborted", "AbortError");
