/** The largest share of its records that a member may be asked to keep from training. */
export const MOST_HELD_OUT = 0.5;
