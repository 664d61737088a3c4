// The side of the pictures in pixels, which network and page have to agree upon.
export const side = 28;
